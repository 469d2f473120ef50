"""Listing -> the JSON document of a project or of one release (the public index's "JSON API"); pure.

There is no `vulnerabilities` member: it would claim that somebody looked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from packaging.version import InvalidVersion, Version

from protocols.pypi.names import parse_filename
from protocols.pypi.native import version_facts
from protocols.pypi.render import Entry, entries, timestamp
from registry.core.types import Listed, Listing


def newest(versions: Sequence[Listed]) -> Listed | None:
    """The release that stands for the project: the highest final one that is not yanked, else the highest."""
    if not versions:
        return None
    live = [v for v in versions if not _yanked(v)] or list(versions)
    final = [v for v in live if not _prerelease(v.display)]
    return (final or live)[-1]


def _prerelease(text: str) -> bool:
    try:
        return Version(text).is_prerelease
    except InvalidVersion:
        return True


def _yanked(version: Listed) -> bool | str:
    """A release is yanked when every file of it is."""
    marks = [entry.yanked for entry in entries((version,))]
    return marks[0] if marks and all(mark is not False for mark in marks) else False


def core_info(version: Listed) -> dict[str, object]:
    """What is stored of a version's core metadata; empty when nothing was fetched yet."""
    found: dict[str, object] = msgspec.json.decode(version_facts(version.native).info, type=dict[str, object])
    return found


def document(
    listing: Listing, chosen: Listed, base: str, *, info: Mapping[str, object], description: str, whole: bool
) -> bytes:
    """`info` and `urls` of the chosen release; with `whole`, also `releases` of all of them."""
    project = listing.package.name
    mark = _yanked(chosen)
    requires = next((e.facts.requires_python for e in entries((chosen,)) if e.facts.requires_python), None)
    page: dict[str, object] = {
        "info": {
            "name": listing.display or project,
            "requires_python": requires,
            **info,
            "description": description,
            "version": chosen.display,
            "package_url": f"{base}simple/{project}/",
            "project_url": f"{base}simple/{project}/",
            "release_url": f"{base}{project}/{chosen.display}/json",
            "yanked": mark is not False,
            "yanked_reason": mark if isinstance(mark, str) else None,
        },
        "urls": [_file(entry, project, base) for entry in entries((chosen,))],
    }
    if whole:
        releases: dict[str, list[object]] = {version.display: [] for version in listing.versions}
        for entry in entries(listing.versions):
            releases[entry.version.display].append(_file(entry, project, base))
        page["releases"] = releases
    return msgspec.json.encode(page)


def _file(entry: Entry, project: str, base: str) -> dict[str, object]:
    file, facts = entry.file, entry.facts
    time = timestamp(entry.uploaded) if entry.uploaded else None
    digests = {"blake2b_256": None, "md5": file.digests.get("md5"), "sha256": file.digests.get("sha256")}
    kind, tag = _kind(file.name, project)
    return {
        "comment_text": None,
        "digests": {name: value for name, value in digests.items() if value},
        "filename": file.name,
        "has_sig": bool(facts.gpg_sig),
        "md5_digest": file.digests.get("md5"),
        "packagetype": kind,
        "python_version": tag,
        "requires_python": facts.requires_python,
        "size": file.size,
        "upload_time": time[:19] if time else None,
        "upload_time_iso_8601": time,
        "url": f"{base}simple/{project}/{entry.path}",
        "yanked": entry.yanked is not False,
        "yanked_reason": entry.yanked if isinstance(entry.yanked, str) else None,
    }


def _kind(filename: str, project: str) -> tuple[str, str]:
    try:
        named = parse_filename(filename, project)
    except ValueError:
        return "sdist", "source"
    if named.kind == "wheel":
        return "bdist_wheel", filename.removesuffix(".whl").split("-")[-3]
    return ("bdist_egg", "any") if named.kind == "egg" else ("sdist", "source")
