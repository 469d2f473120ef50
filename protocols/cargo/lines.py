"""Lines of the index (Cargo Book, "Index Format"): made from a publish, kept of other registries, joined for clients.

What is stored of a version is its line without what may change or differs by repository: `yanked` and, for our own
publishes, `pubtime`.  Fields that nobody here knows stay as they came.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from msgspec import Raw

from protocols.cargo.manifest import Dependency, Manifest
from registry.core.types import Listed, ListedFile, Status

FOREIGN = b"from elsewhere"
YANKED = b"from elsewhere, yanked"
"""Native metadata of a file that another registry lists, and of one that it lists as yanked; our own have none."""


def of_publish(manifest: Manifest, cksum: str, registry: str) -> bytes:
    """The line of a publish.  `registry` is the address of this one, without `sparse+`."""
    plain, extended = _features(manifest.features)
    line: dict[str, object] = {
        "name": manifest.name,
        "vers": manifest.vers,
        "deps": [_dependency(each, registry) for each in manifest.deps],
        "cksum": cksum,
        "features": plain,
    }
    if extended:
        line |= {"features2": extended, "v": 2}
    line["links"] = manifest.links
    if manifest.rust_version is not None:
        line["rust_version"] = manifest.rust_version
    return msgspec.json.encode(line)


def _dependency(given: Dependency, registry: str) -> dict[str, object]:
    """Renamed: the index calls the alias `name` and the crate `package`, a publish the crate `name`."""
    alias = given.explicit_name_in_toml
    home = given.registry in (None, registry, f"sparse+{registry}")
    found: dict[str, object] = {
        "name": alias or given.name,
        "req": given.version_req,
        "features": given.features,
        "optional": given.optional,
        "default_features": given.default_features,
        "target": given.target,
        "kind": given.kind,
        "registry": None if home else given.registry,
        "package": given.name if alias else None,
    }
    if given.artifact:
        found |= {"artifact": given.artifact, "bindep_target": given.bindep_target, "lib": given.lib}
    return found


def _features(given: dict[str, list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Plain ones, and those of the extended syntax (`dep:`, `?/`), apart so that old clients can read on."""
    extended = {
        name: values
        for name, values in given.items()
        if any(value.startswith("dep:") or "?/" in value for value in values)
    }
    return {name: values for name, values in given.items() if name not in extended}, extended


def without_mark(fields: dict[str, Raw]) -> bytes:
    """A line of another registry as it is stored: all but `yanked`, values as they came."""
    return msgspec.json.encode({name: value for name, value in fields.items() if name != "yanked"})


def rendered(versions: Iterable[Listed]) -> bytes:
    """An index file: one line for each version that can be had, in the order of versions."""
    ordered = sorted(versions, key=lambda each: (each.sort, each.version))
    return b"".join(_line(each) for each in ordered if each.native)


def _line(version: Listed) -> bytes:
    file = version.files[0] if version.files else None
    yanked = b"true" if is_yanked(version) else b"false"
    time = b""
    if file is not None and not foreign(file):
        time = b',"pubtime":"%s"' % _time(version.published)
    return b'%s,"yanked":%s%s}\n' % (version.native[:-1], yanked, time)


def is_yanked(version: Listed) -> bool:
    """Unlisted here, or yanked by the registry that it came from."""
    return version.status is Status.UNLISTED or any(file.native == YANKED for file in version.files)


def foreign(file: ListedFile) -> bool:
    return file.native in (FOREIGN, YANKED)


def refresh(stored: bytes, remote: bytes) -> bytes:
    """FormatInfo.refresh: the mark is what the registry says now."""
    return remote


def _time(milliseconds: int) -> bytes:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
