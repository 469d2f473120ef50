"""What SwiftPM reads, and what a login puts there (guide, "Configure Swift without the login command")."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from registry.login.changes import Edit, Place
from registry.login.errors import Malformed
from registry.login.session import Grant

USER = "token"
"""The user's name in .netrc by which the client knows a bearer token."""
_ENTRY = re.compile(r"(?:^|(?<=\s))machine\s+(\S+)((?:\s+(?:login|password|account)\s+\S+)*)", re.MULTILINE)
_PAIR = re.compile(r"(login|password|account)\s+(\S+)")


def swift(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """The user's registries.json and .netrc.  `scope`: use the repository for that scope only.

    The client takes credentials for a host and port that registries.json names, and looks for them in .netrc by the
    host alone.
    """
    folder = place.home / ".swiftpm" / "configuration"
    return [
        Edit(place.home / ".netrc", lambda text: netrc(text, grant.host, grant.token)),
        Edit(
            folder / "registries.json",
            lambda text: registries(text, grant.endpoint, scope.removeprefix("@") or "[default]"),
        ),
    ]


def registries(text: str, endpoint: str, scope: str) -> str:
    """The registry of a scope, and how to show oneself there; all else stays.  Raises Malformed."""
    try:
        found: Any = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        raise Malformed("it is not JSON") from None
    if not isinstance(found, dict) or found.get("version", 1) != 1:
        raise Malformed("it is not of version 1")
    for name in ("registries", "authentication"):
        if not isinstance(found.setdefault(name, {}), dict):
            raise Malformed(f"its {name!r} is not an object")
    parts = urlsplit(endpoint)
    found["registries"][scope] = {"supportsAvailability": False, "url": endpoint}
    found["authentication"][parts.netloc] = {"loginAPIPath": f"{parts.path}login", "type": "token"}
    found["version"] = 1
    return json.dumps(found, indent=2, sort_keys=True) + "\n"


def netrc(text: str, host: str, token: str) -> str:
    """The token for a host.  Raises Malformed where the host has credentials of another kind."""
    line = f"machine {host} login {USER} password {token}"
    for entry in _ENTRY.finditer(text):
        if entry[1] != host:
            continue
        if dict(_PAIR.findall(entry[2])).get("login") != USER:
            raise Malformed(f"it has other credentials for {host}, and can hold one entry for each host")
        return text[: entry.start()] + line + text[entry.end() :]
    # Whatever follows `default` is never read.
    return f"{line}\n{text}"
