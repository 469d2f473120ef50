"""Registrations of other registries, taken apart.  Pure.

Documents are other people's: a version that makes no sense is left out, a text of the wrong type is no text, and a
document that is none is UpstreamUnavailable, never "not there".  No address of theirs is handed on but those of pages
for people (project, license, icon).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import msgspec

from protocols.nuget import names, native, ranges
from registry.core.errors import UpstreamUnavailable
from registry.core.types import PackageKey
from registry.web import remote as answers

JUDGED = ("deprecation", "vulnerabilities")
"""What a registry says of a version that does not stand in its package."""
_MARKS = tuple(f'"{name}":'.encode() for name in JUDGED)
_TEXTS = (
    "title", "description", "summary", "language", "licenseExpression", "licenseUrl", "iconUrl", "projectUrl",
    "minClientVersion", "copyright",
)  # fmt: skip
_LONGEST = 32_768
_MANY = 10_000


@dataclass(frozen=True, slots=True)
class Leaf:
    """One version as a registration shows it; `catalog` and `content` are absolute addresses, or ""."""

    id: str
    display: str
    native: bytes
    published: int | None
    content: str
    catalog: str = ""
    sha512: str = ""


def versions(body: bytes) -> dict[str, str]:
    """A flat container's list: canonical version -> its spelling there."""
    document = _decoded(body)
    found: dict[str, str] = {}
    listed = document.get("versions")
    if not isinstance(listed, list):
        raise UpstreamUnavailable("The external registry's list of versions is not one")
    for each in listed:
        try:
            found.setdefault(names.canonical_version(each), each.lower()) if isinstance(each, str) else None
        except ValueError:
            continue
    return found


def registration(body: bytes, url: str) -> tuple[dict[str, Leaf], list[str]]:
    """A registration index: the leaves that stand in it, and the addresses of the pages that do not."""
    found: dict[str, Leaf] = {}
    pages = []
    for each in _objects(_decoded(body).get("items")):
        if isinstance(each.get("items"), list):
            found.update(_leaves(each, url))
        elif address := _address(each.get("@id"), url):
            pages.append(address)
    return found, pages


def page(body: bytes, url: str) -> dict[str, Leaf]:
    """A page of a registration."""
    return dict(_leaves(_decoded(body), url))


def bare(package: PackageKey, spelled: str) -> Leaf:
    """What is known of a version that no registration shows."""
    version = names.parse_version(spelled)
    entry = {"id": package.name, "version": version.full}
    return Leaf("", version.normal, native.pack(entry, semver2=version.semver2), None, "")


def remark(stored: bytes, told: bytes) -> bytes:
    """FormatInfo.remark: a retained version is listed, deprecated and vulnerable as its registry says now.

    A registry whose registrations do not show the version (any more) says nothing of it.
    """
    had, new = native.unpack(stored), native.unpack(told)
    if had.unlisted == new.unlisted and not any(mark in text for mark in _MARKS for text in (stored, told)):
        return stored  # the case of nearly every version, told without parsing
    before, now = native.fields(stored), native.fields(told)
    judged = {name: now[name] for name in JUDGED if name in now}
    if "requireLicenseAcceptance" not in now:
        return stored
    if had.unlisted == new.unlisted and judged == {name: before[name] for name in JUDGED if name in before}:
        return stored
    kept = {name: value for name, value in before.items() if name not in JUDGED}
    return native.pack(kept | judged, semver2=had.semver2, unlisted=new.unlisted)


def _leaves(document: Mapping[str, Any], url: str) -> Iterator[tuple[str, Leaf]]:
    for item in _objects(document.get("items")):
        entry = item.get("catalogEntry")
        if isinstance(entry, dict):
            try:
                version = names.parse_version(str(entry.get("version", "")))
            except ValueError:
                continue
            yield version.canonical, _leaf(item, entry, version, url)


def _leaf(item: Mapping[str, Any], entry: Mapping[str, Any], version: names.Version, url: str) -> Leaf:
    groups, semver2 = _groups(entry.get("dependencyGroups"))
    published = answers.milliseconds(entry.get("published"))
    listed = entry.get("listed")
    unlisted = listed is False or (listed is None and isinstance(entry.get("published"), str) and published is None)
    id = _text(entry.get("id"))
    shown: dict[str, Any] = {
        "id": id,
        "version": version.full,
        "authors": _joined(entry.get("authors")),
        **{name: _text(entry.get(name)) for name in _TEXTS},
        "tags": _words(entry.get("tags")),
        "dependencyGroups": groups,
        "packageTypes": list(_types(entry.get("packageTypes"))),
        "deprecation": _deprecation(entry.get("deprecation")),
        "vulnerabilities": list(_vulnerabilities(entry.get("vulnerabilities"))),
    }
    kept = {name: value for name, value in shown.items() if value}
    kept["requireLicenseAcceptance"] = entry.get("requireLicenseAcceptance") is True
    sha512 = _sha512(entry)
    if sha512:
        kept |= {"packageHash": base64.b64encode(bytes.fromhex(sha512)).decode(), "packageHashAlgorithm": "SHA512"}
    return Leaf(
        id=id,
        display=version.normal,
        native=native.pack(kept, semver2=version.semver2 or semver2, unlisted=unlisted),
        published=published,
        content=_address(item.get("packageContent") or entry.get("packageContent"), url),
        catalog=_address(entry.get("@id"), url),
        sha512=sha512,
    )


def _groups(found: Any) -> tuple[list[dict[str, Any]], bool]:
    """Dependency groups in our form, and whether a bound needs SemVer 2."""
    shown: list[dict[str, Any]] = []
    semver2 = False
    for group in _objects(found):
        framework = _text(group.get("targetFramework"))
        one: dict[str, Any] = {"targetFramework": framework} if framework else {}
        needed = []
        for each in _objects(group.get("dependencies")):
            id = _text(each.get("id"))
            if id:
                spelled, needs = ranges.shown(_text(each.get("range")))
                needed.append({"id": id, "range": spelled})
                semver2 = semver2 or needs
        if needed:
            one["dependencies"] = needed
        shown.append(one)
    return shown, semver2


def _types(found: Any) -> Iterator[dict[str, str]]:
    for each in _objects(found):
        if name := _text(each.get("name")):
            yield {"name": name}


def _deprecation(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        return {}
    shown: dict[str, Any] = {"reasons": _words(found.get("reasons")) or ["Other"]}
    if message := _text(found.get("message")):
        shown["message"] = message
    other = found.get("alternatePackage")
    if isinstance(other, dict) and (id := _text(other.get("id"))):
        shown["alternatePackage"] = {"id": id, "range": _text(other.get("range")) or "*"}
    return shown


def _vulnerabilities(found: Any) -> Iterator[dict[str, str]]:
    for each in _objects(found):
        url, severity = _text(each.get("advisoryUrl")), str(each.get("severity", ""))
        if url and severity in ("0", "1", "2", "3"):
            yield {"advisoryUrl": url, "severity": severity}


def _sha512(entry: Mapping[str, Any]) -> str:
    """Lower-case hex, or ""."""
    if _text(entry.get("packageHashAlgorithm")).upper() != "SHA512":
        return ""
    try:
        digest = base64.b64decode(_text(entry.get("packageHash")), validate=True)
    except (binascii.Error, ValueError):
        return ""
    return digest.hex() if len(digest) == 64 else ""


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UpstreamUnavailable("The external registry's answer is not a JSON document of NuGet's")
    return document


def _objects(found: Any) -> Iterator[dict[str, Any]]:
    for each in found[:_MANY] if isinstance(found, list) else ():
        if isinstance(each, dict):
            yield each


def _text(value: Any) -> str:
    return value.replace("\0", "").strip()[:_LONGEST] if isinstance(value, str) else ""


def _joined(value: Any) -> str:
    """Authors come as one text or as several."""
    return ", ".join(_words(value, split=False)) if isinstance(value, list) else _text(value)


def _words(value: Any, *, split: bool = True) -> list[str]:
    """Tags come as one text or as several."""
    if isinstance(value, str):
        return _text(value).split() if split else [_text(value)]
    return [text for each in (value if isinstance(value, list) else ())[:_MANY] if (text := _text(each))]


def _address(value: Any, url: str) -> str:
    """Absolute, http or https; else ""."""
    if not isinstance(value, str) or not value or len(value) > 4096:
        return ""
    try:
        address = urljoin(url, value)
    except ValueError:
        return ""
    return address if address.startswith(("https://", "http://")) else ""
