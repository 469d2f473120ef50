"""Core metadata (PyPA specification "Core metadata specifications"): bytes or form fields -> what we keep; pure.

Nothing is validated beyond what identity needs: a metadata version or field of the future passes through,
as over-strict servers broke uploads elsewhere.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from registry.core.types import Dependency, Facts, License

_LOOSE = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(.*)", re.DOTALL)
_DROP = str.maketrans("", "", string.punctuation + string.whitespace)
_SOURCES = ("source", "repository", "sourcecode", "github")
_LONG_LICENSE = 120
_MAX_DESCRIPTION = 8 * 1024**2
_MAX_HEADER_LINES = 100_000
_MAX_HEADER_NAMES = 500
_HEADERS_END = re.compile(rb"(?:\r\n|\r(?!\n)|\n){2}")
_HEADER = re.compile(rb"(?:\A|[\r\n])([^\s:][^\r\n:]*):")
_LINE_END = re.compile(rb"\r\n|\r|\n")

# Form fields (the same names as the JSON API's, but for those that repeat) -> raw metadata names.
_FORM_TEXTS = {
    "metadata_version": "metadata_version", "name": "name", "version": "version", "summary": "summary",
    "description": "description", "description_content_type": "description_content_type",
    "license": "license", "license_expression": "license_expression", "author": "author",
    "author_email": "author_email", "maintainer": "maintainer", "maintainer_email": "maintainer_email",
    "home_page": "home_page", "download_url": "download_url", "requires_python": "requires_python",
}  # fmt: skip
_FORM_LISTS = {
    "platform": "platforms", "supported_platform": "supported_platforms", "classifiers": "classifiers",
    "requires_dist": "requires_dist", "provides_extra": "provides_extra", "provides_dist": "provides_dist",
    "obsoletes_dist": "obsoletes_dist", "requires_external": "requires_external", "dynamic": "dynamic",
    "license_file": "license_files",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Core:
    """A distribution's core metadata; `name` and `version` as its author wrote them."""

    name: str
    version: str
    raw: RawMetadata

    @property
    def requires_python(self) -> str | None:
        return self.raw.get("requires_python") or None


def from_bytes(body: bytes) -> Core:
    """METADATA or PKG-INFO.  Raises ValueError when it names no package or version."""
    _check_headers(body)
    try:
        raw, unparsed = parse_email(body)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as err:
        raise ValueError(f"The metadata file of the distribution cannot be parsed: {type(err).__name__}") from None
    if "description" not in raw and unparsed.get("description"):
        raw["description"] = _salvaged(unparsed["description"][0], body)
    name, version = raw.get("name", "").strip(), raw.get("version", "").strip()
    if not name or not version:
        raise ValueError("The metadata file of the distribution lacks Name or Version")
    return Core(name, version, raw)


def _check_headers(body: bytes) -> None:
    """The parser's time grows with the number of headers times that of different names."""
    end = _HEADERS_END.search(body)
    head = body[: end.start()] if end else body
    names: set[bytes] = set()
    for found in _HEADER.finditer(head):
        names.add(found[1].lower())
        if len(names) > _MAX_HEADER_NAMES:
            raise ValueError(f"The metadata file has more than {_MAX_HEADER_NAMES} kinds of headers")
    if sum(1 for _ in _LINE_END.finditer(head)) > _MAX_HEADER_LINES:
        raise ValueError(f"The metadata file has more than {_MAX_HEADER_LINES} header lines")


def _salvaged(said: object, body: bytes) -> str:
    """A description that is not quite as specified: not UTF-8, or dressed up as an e-mail with parts."""
    if isinstance(said, str):
        return said
    whole = said if isinstance(said, bytes) else body.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
    return whole.decode("utf-8", "replace")


def from_form(texts: Mapping[str, list[str]]) -> Core:
    """The same from an upload's form, for files that carry no metadata of their own.  Raises ValueError."""
    raw: dict[str, object] = {}
    for field, key in _FORM_TEXTS.items():
        value = next(iter(texts.get(field, [])), "")
        if value and value != "UNKNOWN":
            raw[key] = value
    for field, key in _FORM_LISTS.items():
        values = [value for value in texts.get(field, []) if value]
        if values:
            raw[key] = values
    if keywords := next(iter(texts.get("keywords", [])), ""):
        raw["keywords"] = [word.strip() for word in keywords.split(",") if word.strip()]
    if urls := [url for url in texts.get("project_urls", []) if url]:
        raw["project_urls"] = {label.strip(): url.strip() for label, _, url in (u.partition(",") for u in urls)}
    name, version = str(raw.get("name", "")).strip(), str(raw.get("version", "")).strip()
    if not name or not version:
        raise ValueError("The form lacks name or version")
    return Core(name, version, cast(RawMetadata, raw))


def facts(core: Core) -> Facts:
    """What the control plane shows of the version."""
    raw = core.raw
    urls = {label.translate(_DROP).lower(): url for label, url in raw.get("project_urls", {}).items()}
    return Facts(
        display=core.name,
        summary=_line(raw.get("summary", "")),
        homepage=_known(raw.get("home_page")) or urls.get("homepage", ""),
        source=next((urls[label] for label in _SOURCES if label in urls), ""),
        licenses=_licenses(raw),
        readme=_known(raw.get("description"))[:_MAX_DESCRIPTION] or None,
        dependencies=tuple(_dependency(text) for text in raw.get("requires_dist", [])),
    )


def info(core: Core) -> dict[str, object]:
    """The fields of the JSON API's `info` that come from the metadata, but for the description."""
    raw = core.raw
    return {
        "author": raw.get("author") or None,
        "author_email": raw.get("author_email") or None,
        "classifiers": raw.get("classifiers", []),
        "description_content_type": raw.get("description_content_type") or None,
        "download_url": raw.get("download_url") or None,
        "dynamic": raw.get("dynamic") or None,
        "home_page": raw.get("home_page") or None,
        "keywords": ",".join(raw.get("keywords", [])) or None,
        "license": raw.get("license") or None,
        "license_expression": raw.get("license_expression") or None,
        "license_files": raw.get("license_files") or None,
        "maintainer": raw.get("maintainer") or None,
        "maintainer_email": raw.get("maintainer_email") or None,
        "metadata_version": raw.get("metadata_version") or None,
        "name": core.name,
        "platform": ",".join(raw.get("platforms", [])) or None,
        "project_urls": raw.get("project_urls") or None,
        "provides_extra": raw.get("provides_extra") or None,
        "requires_dist": raw.get("requires_dist") or None,
        "requires_python": raw.get("requires_python") or None,
        "summary": raw.get("summary") or None,
    }


def _known(text: str | None) -> str:
    return "" if text is None or text.strip() == "UNKNOWN" else text


def _line(text: str) -> str:
    return _known(" ".join(text.split()))


def _licenses(raw: RawMetadata) -> tuple[License, ...]:
    """License-Expression; else a short License; else the classifiers."""
    if expression := raw.get("license_expression"):
        return (License(name=expression),)
    text = _known(raw.get("license")).strip()
    if text and len(text) <= _LONG_LICENSE and "\n" not in text:
        return (License(name=text),)
    found = [c for c in raw.get("classifiers", []) if c.startswith("License ::")]
    names = [c.rsplit("::", 1)[1].strip() for c in found]
    return tuple(License(name=name) for name in dict.fromkeys(names) if name and name != "OSI Approved")


def _dependency(text: str) -> Dependency:
    """One Requires-Dist; the requirement is the specifier (or URL) and the marker."""
    try:
        parsed = Requirement(text)
    except (InvalidRequirement, RecursionError):
        loose = _LOOSE.match(text)
        name, rest = (loose[1], loose[2].strip()) if loose else (text.strip(), "")
        return Dependency(None, canonicalize_name(name), "Requires-Dist", rest)
    rest = f"@ {parsed.url}" if parsed.url else str(parsed.specifier)
    if parsed.marker is not None:
        rest = f"{rest}; {parsed.marker}" if rest else f"; {parsed.marker}"
    return Dependency(None, canonicalize_name(parsed.name), "Requires-Dist", rest)
