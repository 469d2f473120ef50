"""What a simple index page offers: JSON (PEP 691) or HTML (PEP 503) bytes -> Remote; pure.

One unusable entry among many is left out; a page that is no index at all raises ValueError, as "not
understood" must never look like "has no files".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

import msgspec
from lxml import etree
from packaging.utils import canonicalize_name

from protocols.pypi.names import canonical_version, check_filename, display_version, parse_filename
from protocols.pypi.native import FileFacts, ProjectStatus, VersionFacts, encode
from registry.core.types import Remote, RemoteFile, RemoteVersion
from registry.web import remote as answers

MAX_FILES = 200_000
_HEX = re.compile(r"[0-9a-f]+\Z")
_LENGTHS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
_MAX_REASON = 1000
_MAX_SIZE = 2**53


@dataclass(frozen=True, slots=True)
class Offer:
    """One file of a page, its address absolute."""

    filename: str
    url: str
    hashes: dict[str, str]
    facts: FileFacts
    size: int | None = None
    uploaded: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page; `versions` as the registry spells them, where it says so."""

    offers: list[Offer]
    versions: list[str]
    status: ProjectStatus | None = None


class _File(msgspec.Struct, frozen=True, rename="kebab"):
    filename: str
    url: str
    hashes: dict[str, str] = {}
    requires_python: str | None = None
    size: int | None = None
    upload_time: str | None = None
    yanked: bool | str | None = False
    core_metadata: bool | dict[str, str] | None = None
    dist_info_metadata: bool | dict[str, str] | None = None
    data_dist_info_metadata: bool | dict[str, str] | None = None
    gpg_sig: bool | None = None
    provenance: str | None = None


class _Document(msgspec.Struct, frozen=True, rename="kebab"):
    files: list[msgspec.Raw]
    meta: dict[str, object] = {}
    name: str = ""
    versions: list[str] = []
    project_status: ProjectStatus | None = None


_document = msgspec.json.Decoder(_Document)
_file = msgspec.json.Decoder(_File)


def from_json(body: bytes, url: str, project: str) -> Page:
    """A JSON page found at `url`.  Raises ValueError when it is none, or another project's."""
    try:
        page = _document.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ValueError("the JSON is not a simple index page") from None
    version = str(page.meta.get("api-version", "1.0"))
    if version.partition(".")[0] != "1":
        raise ValueError(f"the simple index speaks API version {version[:20]}")
    if page.name and canonicalize_name(page.name) != project:
        raise ValueError("the simple index page is of another project")
    if len(page.files) > MAX_FILES:
        raise ValueError(f"the simple index page has more than {MAX_FILES} files")
    offers = [offer for raw in page.files if (offer := _json_offer(raw, url)) is not None]
    return Page(offers, page.versions, _unusual(page.project_status))


def _json_offer(raw: msgspec.Raw, url: str) -> Offer | None:
    try:
        file = _file.decode(raw)
        check_filename(file.filename)
        address = _address(url, file.url)
    except (msgspec.MsgspecError, ValueError):
        return None
    announced = (file.core_metadata, file.dist_info_metadata, file.data_dist_info_metadata)
    metadata = next((said for said in announced if said is not None), None)
    provenance = file.provenance and _optional_address(url, file.provenance)
    facts = FileFacts(
        requires_python=file.requires_python or None,
        core_metadata=_hashes(metadata).get("sha256") if isinstance(metadata, dict) else None,
        yanked=_yanked(file.yanked),
        gpg_sig=file.gpg_sig,
        provenance=provenance or None,
    )
    size = file.size if file.size is not None and 0 <= file.size <= _MAX_SIZE else None
    return Offer(file.filename, address, _hashes(file.hashes), facts, size, answers.milliseconds(file.upload_time))


def _yanked(mark: bool | str | None) -> bool | str:
    """An empty reason counts as plain yes."""
    return (mark[:_MAX_REASON] or True) if isinstance(mark, str) else bool(mark)


def _unusual(status: ProjectStatus | None) -> ProjectStatus | None:
    return status if status is not None and status.status != "active" else None


def _hashes(told: dict[str, str]) -> dict[str, str]:
    found = {}
    for name, value in told.items():
        lower = value.lower()
        length = _LENGTHS.get(name.lower())
        if _HEX.match(lower) and (length is None or len(lower) == length):
            found[name.lower()] = lower
    return found


def _address(base: str, href: str) -> str:
    """Absolute, without its fragment.  Raises ValueError for anything but http and https."""
    url = urljoin(base, href.strip()).partition("#")[0]
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise ValueError("not an address of a file")
    return url


def _optional_address(base: str, href: str) -> str | None:
    try:
        return _address(base, href)
    except ValueError:
        return None


# --- HTML --------------------------------------------------------------------------------------


class _Collector:
    """Gathers anchors while the page is parsed; no tree is built."""

    def __init__(self) -> None:
        self.anchors: list[dict[str, str]] = []
        self.base: str | None = None
        self.metas: dict[str, str] = {}
        self.title = ""
        self._in_title = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "a" and "href" in attributes and len(self.anchors) <= MAX_FILES:
            self.anchors.append(dict(attributes))
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "meta" and "name" in attributes:
            self.metas[attributes["name"].lower()] = attributes.get("content", "")
        self._in_title = tag == "title"

    def end(self, tag: str) -> None:
        self._in_title = False

    def data(self, text: str) -> None:
        if self._in_title and len(self.title) < 1000:
            self.title += text

    def close(self) -> _Collector:
        return self


def from_html(body: bytes, url: str, project: str, charset: str = "utf-8") -> Page:
    """An HTML page found at `url`.  Raises ValueError when it does not look like an index of this project."""
    collector = _Collector()
    try:
        parser = etree.HTMLParser(target=collector, no_network=True, encoding=charset)  # type: ignore[arg-type]
        parser.feed(body)
        parser.close()
    except (etree.LxmlError, LookupError, ValueError, AssertionError):
        raise ValueError("the HTML of the simple index cannot be parsed") from None
    if len(collector.anchors) > MAX_FILES:
        raise ValueError(f"the simple index page has more than {MAX_FILES} files")
    version = collector.metas.get("pypi:repository-version", "")
    if version and version.partition(".")[0] != "1":
        raise ValueError(f"the simple index speaks API version {version[:20]}")
    base = urljoin(url, collector.base) if collector.base else url
    offers = [offer for anchor in collector.anchors if (offer := _html_offer(anchor, base)) is not None]
    if not version and not any(_belongs(offer, project) for offer in offers) and not _titled(collector, project):
        raise ValueError("the HTML is not a simple index page")
    status = collector.metas.get("pypi:project-status")
    reason = collector.metas.get("pypi:project-status-reason")
    return Page(offers, [], _unusual(ProjectStatus(status, reason) if status else None))


def _titled(collector: _Collector, project: str) -> bool:
    """Pages of old servers have no meta tag; an empty one still says whose links it has."""
    words = collector.title.split()
    return words[:2] == ["Links", "for"] and len(words) == 3 and canonicalize_name(words[2]) == project


def _html_offer(anchor: dict[str, str], base: str) -> Offer | None:
    href = anchor["href"]
    try:
        url = _address(base, href)
        filename = unquote(urlsplit(url).path.rpartition("/")[2])
        check_filename(filename)
    except ValueError:
        return None
    name, _, value = href.partition("#")[2].partition("&")[0].partition("=")
    announced = anchor.get("data-core-metadata", anchor.get("data-dist-info-metadata", ""))
    kind, _, digest = announced.partition("=")
    provenance = anchor.get("data-provenance")
    facts = FileFacts(
        requires_python=anchor.get("data-requires-python") or None,
        core_metadata=_hashes({kind: digest}).get("sha256"),
        yanked=_yanked(anchor["data-yanked"]) if "data-yanked" in anchor else False,
        gpg_sig={"true": True, "false": False}.get(anchor.get("data-gpg-sig", "").lower()),
        provenance=_optional_address(base, provenance) if provenance else None,
    )
    return Offer(filename, url, _hashes({name: value}), facts)


def _belongs(offer: Offer, project: str) -> bool:
    try:
        return parse_filename(offer.filename, project).project == project
    except ValueError:
        return False


# --- both --------------------------------------------------------------------------------------


def remote(page: Page, project: str, validators: dict[str, str]) -> Remote:
    """Files gathered by release.  A quarantined project offers nothing (PEP 792)."""
    quarantined = page.status is not None and page.status.status == "quarantined"
    releases: dict[str, list[Offer]] = {}
    spelled: dict[str, str] = {}
    for offer in () if quarantined else _first_of_each(page.offers):
        try:
            named = parse_filename(offer.filename, project)
            version = canonical_version(named.version.replace("_", "-") if named.kind == "wheel" else named.version)
        except ValueError:
            continue
        if named.project == project:
            releases.setdefault(version, []).append(offer)
            spelled.setdefault(version, display_version(named.version))
    for text in page.versions:
        try:
            spelled[canonical_version(text)] = display_version(text)
        except ValueError:
            continue
    native = encode(VersionFacts(project_status=page.status)) if page.status is not None else b""
    versions = tuple(_release(version, spelled[version], offers, native) for version, offers in releases.items())
    return Remote(display=project, versions=versions, tags={}, validators=validators)


def _first_of_each(offers: Iterable[Offer]) -> Iterable[Offer]:
    seen: set[str] = set()
    for offer in offers:
        if offer.filename not in seen:
            seen.add(offer.filename)
            yield offer


def _release(version: str, display: str, offers: list[Offer], native: bytes) -> RemoteVersion:
    times = [offer.uploaded for offer in offers if offer.uploaded is not None]
    files = tuple(RemoteFile(o.filename, o.url, o.size, o.hashes, encode(o.facts), o.uploaded) for o in offers)
    return RemoteVersion(version, display, native, min(times, default=None), files)
