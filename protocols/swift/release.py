"""The native record of a release: what its publisher said of it beside the archive.

Stored as JSON: `metadata` as it was sent, the signatures in base64, the manifests with their tools versions.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw

from registry.core.types import Facts, License

MAX_METADATA = 1024**2
MAX_DEPTH = 64
MAX_SIGNATURE = 256 * 1024
CMS = "cms-1.0.0"
_ARRAY = "repositoryURLs"
_PERSON: dict[str, type] = {"name": str, "email": str, "description": str, "url": str, "organization": dict}
_KNOWN: dict[str, type] = {
    "author": dict,
    "description": str,
    "licenseURL": str,
    "originalPublicationTime": str,
    "readmeURL": str,
    _ARRAY: list,
}
_WORDS: dict[type, str] = {dict: "an object", str: "a string", list: "a list"}


class Release(msgspec.Struct, omit_defaults=True):
    """`manifests`: file name -> tools version.  `checksum` is the archive's sha256, `signature` base64."""

    archive: str
    checksum: str
    manifests: dict[str, str]
    metadata: Raw = Raw(b"{}")
    signature: str = ""
    metadata_signature: str = ""


_decoder = msgspec.json.Decoder(Release)


def encode(release: Release) -> bytes:
    return msgspec.json.encode(release)


def decode(native: bytes) -> Release:
    """What `encode` gave."""
    return _decoder.decode(native)


def metadata(body: bytes) -> dict[str, Any]:
    """A release's metadata (SE-0391).  Raises ValueError for what breaks the schema; unknown members are kept."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("The metadata is not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("The metadata must be a JSON object")
    if _deeper(found, MAX_DEPTH):
        raise ValueError(f"The metadata is nested more than {MAX_DEPTH} levels deep")
    _check(found, _KNOWN, "metadata")
    for person, where in ((found.get("author"), "author"), (_organization(found), "author.organization")):
        if person is not None:
            _check(person, _PERSON, f"metadata.{where}")
            if not person.get("name"):
                raise ValueError(f"metadata.{where} needs a name")
    if any(not isinstance(each, str) for each in found.get(_ARRAY) or ()):
        raise ValueError(f"metadata.{_ARRAY} must hold strings")
    return found


def _deeper(found: Any, depth: int) -> bool:
    """Deeper documents could be written down and not be read again."""
    level = [found]
    for _ in range(depth):
        level = [
            each
            for one in level
            if isinstance(one, dict | list)
            for each in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


def _organization(found: dict[str, Any]) -> dict[str, Any] | None:
    author = found.get("author")
    return author.get("organization") if author else None


def _check(found: dict[str, Any], known: dict[str, type], where: str) -> None:
    for name, kind in known.items():
        if found.get(name) is not None and not isinstance(found[name], kind):
            raise ValueError(f"{where}.{name} must be {_WORDS[kind]}")


def facts(display: str, found: dict[str, Any], readme: str | None) -> Facts:
    """What the control plane shows."""
    urls = [url for url in found.get(_ARRAY) or () if url]
    license_url = found.get("licenseURL")
    web = (url for url in urls if url.lower().startswith(("http://", "https://")))
    return Facts(
        display=display,
        summary=found.get("description") or "",
        homepage=urls[0] if urls else "",
        source=next(web, ""),
        licenses=(License(url=license_url),) if license_url else (),
        readme=readme,
    )


def repositories(release: Release) -> list[str]:
    """The addresses of the source repository, in their normal form."""
    found = msgspec.json.decode(release.metadata)
    return [normal for url in found.get(_ARRAY) or () if (normal := address(url))]


def address(url: str) -> str:
    """A repository's address as one text, however it was spelled; "" for what is none.

    Scheme, user, port, `.git` and a slash at the end do not count, nor does case; `git@host:path` is `host/path`.
    """
    text = url.strip()
    if not text or len(text) > 2048 or any(char.isspace() for char in text):
        return ""
    if "://" not in text:
        user, at, rest = text.partition("@")
        host, colon, path = (rest if at else user).partition(":")
        if not colon:
            return ""
        text = f"ssh://{host}/{path}"
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return ""
    path = parts.path.strip("/").removesuffix(".git").strip("/")
    return f"{host}/{path}".lower() if host and path else ""
