"""Raw request paths: one spelling, nothing that climbs.

A path stays percent-encoded until a route has cut it up (`@scope%2fname` is one segment), so nothing here decodes
for others.  Double slashes are folded, since gem pushes to `{endpoint}//api/v1/gems`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from registry.core.errors import Validation

_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)
_SLASHES = re.compile(r"/{2,}")
_SECRET = re.compile(r"(?i)(?<=/-/user/token/)[^/]+|(?<=/-/user/org\.couchdb\.user:)[^/]+|py1\.[A-Za-z0-9_.~-]{16,}")
_HOST = re.compile(r"[A-Za-z0-9._\-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")


def clean(raw: bytes) -> str:
    """The path with slashes folded.  Raises Validation for dot segments and for NUL, in any spelling."""
    path = raw.decode("latin-1")
    if "//" in path:
        path = _SLASHES.sub("/", path)
    if "/." in path or "%" in path:
        if any(_DOTS.fullmatch(segment) for segment in path.split("/")):
            raise Validation("The path has a dot segment")
        if "%00" in path:
            raise Validation("The path has a NUL character")
    return path


def decode(segment: str) -> str:
    """Percent-decode once.  Raises Validation for what is not UTF-8 then."""
    if "%" not in segment and segment.isascii():
        return segment
    try:
        return unquote(segment.encode("latin-1").decode(), errors="strict")
    except UnicodeDecodeError as err:
        raise Validation("The path is not valid UTF-8") from err


def masked(path: str) -> str:
    """The path as it may be logged: clients put tokens and user names into it."""
    return _SECRET.sub("***", path) if "/-/user/" in path or "py1." in path else path


def valid_host(host: str) -> bool:
    """Host header: it goes into documents, so it holds a name or an address and a port, nothing else."""
    return _HOST.fullmatch(host) is not None
