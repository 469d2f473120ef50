"""Listing -> simple index pages, HTML and JSON (PEP 503, 592, 629, 658, 691, 700, 714, 740, 792); pure.

File addresses are relative to the page (`VERSION/FILENAME`), so that they survive proxies and host names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote

import msgspec

from protocols.pypi.native import FileFacts, ProjectStatus, file_facts, version_facts
from registry.core.types import Listed, ListedFile, Listing

PageRenderer = Callable[[Listing, str], bytes]
_PLAIN = re.compile(r"[A-Za-z0-9._+!~-]+/[A-Za-z0-9._+!~-]+\Z")
_STRONG = ("sha256", "sha512", "sha384", "sha3_256", "blake2b", "sha1", "md5")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an index page."""

    version: Listed
    file: ListedFile
    facts: FileFacts
    yanked: bool | str

    @property
    def path(self) -> str:
        """Relative to the page of the project."""
        plain = f"{self.version.display}/{self.file.name}"
        # Nearly every name is made of these; quoting is what a page of thousands of files would spend its time on.
        return plain if _PLAIN.match(plain) else quote(plain, safe="/+!~")

    @property
    def hashes(self) -> dict[str, str]:
        """sha256 where it is known, else whatever the registry declares."""
        digests = self.file.digests
        if sha256 := digests.get("sha256"):
            return {"sha256": sha256}
        return {name: digests[name] for name in _STRONG if name in digests}

    @property
    def uploaded(self) -> int:
        """Where a registry gives no time for a file: when its release was published, or first seen."""
        return self.file.uploaded or self.version.published

    @property
    def has_provenance(self) -> bool:
        return self.facts.attested is not None or bool(self.facts.provenance)


def entries(versions: Iterable[Listed]) -> Iterator[Entry]:
    """Every file, versions ascending, by name within one."""
    for version in versions:
        mark = version_facts(version.native).yanked
        for file in sorted(version.files, key=lambda f: f.name):
            facts = file_facts(file.native)
            yield Entry(version, file, facts, mark or facts.yanked)


def timestamp(milliseconds: int) -> str:
    """UTC with six fraction digits (PEP 700)."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:03d}000Z"


def project_json(listing: Listing, base: str) -> bytes:
    """PEP 691 with 700, 714, 740 and 792."""
    found = list(entries(listing.versions))
    status = _status(listing)
    page: dict[str, object] = {
        "meta": {"api-version": _api_version(found, status)},
        "name": listing.package.name,
        "versions": [version.display for version in listing.versions],
        "files": [_json_file(entry, listing.package.name, base) for entry in found],
    }
    if status is not None:
        page["project-status"] = status
    return msgspec.json.encode(page)


def _json_file(entry: Entry, project: str, base: str) -> dict[str, object]:
    facts, file = entry.facts, entry.file
    metadata: object = {"sha256": facts.core_metadata} if facts.core_metadata else False
    out: dict[str, object] = {
        "filename": file.name,
        "url": entry.path,
        "hashes": entry.hashes,
        "yanked": entry.yanked,
        "core-metadata": metadata,
        # Not `dist-info-metadata`: pip before 23.2 crashes on its JSON form (PEP 714), uv reads this one too.
        "data-dist-info-metadata": metadata,
    }
    if file.size is not None:
        out["size"] = file.size
    if entry.uploaded:
        out["upload-time"] = timestamp(entry.uploaded)
    if facts.requires_python:
        out["requires-python"] = facts.requires_python
    if facts.gpg_sig is not None:
        out["gpg-sig"] = facts.gpg_sig
    if entry.has_provenance:
        out["provenance"] = _provenance(entry, project, base)
    return out


def _provenance(entry: Entry, project: str, base: str) -> str:
    """PEP 740 wants a fully qualified address."""
    return f"{base}simple/{project}/{entry.path}.provenance"


def _status(listing: Listing) -> ProjectStatus | None:
    """What the newest version that an external registry lists says of its project."""
    marks = (version_facts(version.native).project_status for version in reversed(listing.versions))
    return next((mark for mark in marks if mark is not None), None)


def _api_version(found: list[Entry], status: ProjectStatus | None) -> str:
    """The lowest that covers what is said: 1.1 promises sizes, which not every registry gives."""
    if status is not None:
        return "1.4"
    if any(entry.has_provenance for entry in found):
        return "1.3"
    return "1.1" if all(entry.file.size is not None for entry in found) else "1.0"


def project_html(listing: Listing, base: str) -> bytes:
    """PEP 503 with 592, 629, 658, 714, 740 and 792."""
    found = list(entries(listing.versions))
    status = _status(listing)
    name = escape(listing.package.name)
    lines = [_head(f"Links for {name}", _api_version(found, status))]
    if status is not None:
        lines.append(f'<meta name="pypi:project-status" content="{escape(status.status)}">')
        if status.reason:
            lines.append(f'<meta name="pypi:project-status-reason" content="{escape(status.reason)}">')
    lines.append(f"</head>\n<body>\n<h1>Links for {name}</h1>")
    lines += [_anchor(entry, listing.package.name, base) for entry in found]
    lines.append("</body>\n</html>\n")
    return "\n".join(lines).encode()


def _head(title: str, version: str) -> str:
    return (
        '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="pypi:repository-version" content="{version}">\n<title>{title}</title>'
    )


def _anchor(entry: Entry, project: str, base: str) -> str:
    facts = entry.facts
    digest = next(iter(entry.hashes.items()), None)
    fragment = f"#{digest[0]}={digest[1]}" if digest else ""
    out = [f'<a href="{escape(entry.path + fragment)}"']
    if facts.requires_python:
        out.append(f'data-requires-python="{escape(facts.requires_python)}"')
    if facts.core_metadata:
        out.append(f'data-core-metadata="sha256={facts.core_metadata}"')
        out.append(f'data-dist-info-metadata="sha256={facts.core_metadata}"')
    if entry.yanked is not False:
        out.append(f'data-yanked="{escape(entry.yanked if isinstance(entry.yanked, str) else "")}"')
    if facts.gpg_sig is not None:
        out.append(f'data-gpg-sig="{"true" if facts.gpg_sig else "false"}"')
    if entry.has_provenance:
        out.append(f'data-provenance="{escape(_provenance(entry, project, base))}"')
    return f"{' '.join(out)}>{escape(entry.file.name)}</a><br>"


def root_head(kind: str) -> bytes:
    """How the page of all projects begins; `root_rows` and `root_tail` go on."""
    if kind == "json":
        return b'{"meta":{"api-version":"1.0"},"projects":['
    return f"{_head('Simple index', '1.0')}\n</head>\n<body>\n".encode()


def root_rows(kind: str, names: list[str], first: bool) -> bytes:
    """Some more projects, canonical names."""
    if kind == "json":
        rows = b",".join(msgspec.json.encode({"name": name}) for name in names)
        return rows if first or not rows else b"," + rows
    return "".join(f'<a href="{quote(name)}/">{escape(name)}</a><br>\n' for name in names).encode()


def root_tail(kind: str) -> bytes:
    """How it ends."""
    return b"]}" if kind == "json" else b"</body>\n</html>\n"
