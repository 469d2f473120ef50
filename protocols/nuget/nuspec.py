"""The manifest of a package: XML in any of the historic nuspec namespaces, or none.

Parsed without entities, document types and network; see the reference of the .nuspec format for the elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from protocols.nuget import ranges
from protocols.nuget.names import Version, canonical, parse_version

_MOST_DEPENDENCIES = 10_000
_LONGEST = 32_768
"""Characters kept of a text."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """One dependency; `range` in its normal form."""

    id: str
    range: str
    semver2: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """The dependencies for one framework; "" is any."""

    framework: str
    dependencies: tuple[Dependency, ...]


@dataclass(frozen=True, slots=True)
class Nuspec:
    """What we read of it."""

    id: str
    version: Version
    texts: dict[str, str] = field(default_factory=dict)
    license_type: str = ""
    license: str = ""
    repository: dict[str, str] = field(default_factory=dict)
    min_client: str = ""
    types: tuple[tuple[str, str], ...] = ()
    groups: tuple[Group, ...] = ()

    def text(self, name: str) -> str:
        """The text of an element, "" where it is not there."""
        return self.texts.get(name, "")

    @property
    def semver2(self) -> bool:
        """A package needs SemVer 2 by its version, or by a bound of a dependency."""
        return self.version.semver2 or any(each.semver2 for group in self.groups for each in group.dependencies)


_TEXTS = frozenset({
    "description", "authors", "owners", "title", "summary", "releaseNotes", "copyright", "language", "tags",
    "projectUrl", "icon", "iconUrl", "readme", "licenseUrl", "requireLicenseAcceptance", "developmentDependency",
    "serviceable",
})  # fmt: skip


def read(body: bytes) -> Nuspec:
    """Raises ValueError.  Only id and version must be there: symbols packages have no authors."""
    metadata = _metadata(body)
    texts: dict[str, str] = {}
    found: dict[str, etree._Element] = {}
    for element in _children(metadata):
        name = _local(element)
        found.setdefault(name, element)
        if name in _TEXTS or name in ("id", "version"):
            texts.setdefault(name, _text(element))
    id, version = texts.pop("id", ""), texts.pop("version", "")
    if not id or not version:
        raise ValueError("The .nuspec has no id or no version")
    canonical(None, id)
    license = found.get("license")
    repository = found.get("repository")
    return Nuspec(
        id=id,
        version=parse_version(version),
        texts=texts,
        license_type=_attribute(license, "type"),
        license=_text(license) if license is not None else "",
        repository={name: _attribute(repository, name) for name in ("type", "url", "branch", "commit")},
        min_client=_attribute(metadata, "minClientVersion"),
        types=tuple(_types(found.get("packageTypes"))),
        groups=tuple(_groups(found.get("dependencies"))),
    )


def _metadata(body: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as err:
        raise ValueError(f"The .nuspec is not well-formed XML: {str(err)[:200]}") from None
    info: Any = root.getroottree().docinfo
    if info.doctype:
        raise ValueError("The .nuspec has a document type, which is not allowed")
    metadata = next((each for each in _children(root) if _local(each) == "metadata"), None)
    if _local(root) != "package" or metadata is None:
        raise ValueError("The .nuspec has no package with metadata")
    return metadata


def _types(element: etree._Element | None) -> Iterator[tuple[str, str]]:
    for each in _children(element):
        if _local(each) == "packageType" and (name := _attribute(each, "name")):
            yield name, _attribute(each, "version")


def _groups(element: etree._Element | None) -> Iterator[Group]:
    """Groups in order; dependencies outside of any group are one for any framework (nuspec of 2010)."""
    children = list(_children(element))
    loose = tuple(_dependencies(children))
    if loose:
        yield Group("", loose)
    for each in children:
        if _local(each) == "group":
            yield Group(_attribute(each, "targetFramework"), tuple(_dependencies(list(_children(each)))))


def _dependencies(children: list[etree._Element]) -> Iterator[Dependency]:
    if len(children) > _MOST_DEPENDENCIES:
        raise ValueError(f"The .nuspec has more than {_MOST_DEPENDENCIES} dependencies")
    for each in children:
        if _local(each) == "dependency" and (id := _attribute(each, "id")):
            yield Dependency(id, *ranges.shown(_attribute(each, "version")))


def _children(element: etree._Element | None) -> Iterator[etree._Element]:
    for each in element if element is not None else ():
        if isinstance(each.tag, str):
            yield each


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname


def _text(element: etree._Element) -> str:
    return "".join(str(each) for each in element.itertext()).strip()[:_LONGEST]


def _attribute(element: etree._Element | None, name: str) -> str:
    return (element.get(name) or "").strip()[:_LONGEST] if element is not None else ""
