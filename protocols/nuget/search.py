"""`GET v3/query` and `GET v3/autocomplete`: packages of this repository and its upstreams that can be shown to clients.

Every word of the query must stand in the id, or in the texts of the newest version: title, tags, description, summary.
What only an external registry has is not searched.  Unlisted versions never count.
`take` counts packages, not versions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from protocols.nuget import names, native, render
from registry.core.errors import RegistryError, Validation
from registry.core.types import Listed, Listing, PackageRow
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req

T = TypeVar("T")

MAX_TAKE = 1000
MAX_SKIP = 3000
_PAGE = 200
_TOGETHER = 8
_BATCH = 50
_READ = 500
"""Packages whose texts are looked at."""
_LONGEST = 512
_ALL = 500
"""Candidates up to which every one is looked at, so that the number of hits is exact."""
_ASKED_FOR = 100
"""Hits up to which external registries are asked for newer versions."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for.  `fields` are words that were tied to one field, as in `tags:json`."""

    words: tuple[str, ...]
    fields: tuple[tuple[str, str], ...] = ()
    prerelease: bool = False
    semver2: bool = False
    kind: str = ""
    skip: int = 0
    take: int = 20

    @classmethod
    def of(cls, req: Req, text: str) -> Query:
        """Raises Validation."""
        words, tied = [], []
        for word in text[:_LONGEST].lower().split():
            name, colon, rest = word.partition(":")
            if colon and name in _FIELDS and rest:
                tied.append((_FIELDS[name], rest.strip('"')))
            else:
                words.append(word.strip('"'))
        return cls(
            words=tuple(word for word in words if word),
            fields=tuple(tied),
            prerelease=_flag(req, "prerelease"),
            semver2=req.query.get("semVerLevel", "").strip().startswith("2"),
            kind=req.query.get("packageType", "").strip().lower(),
            skip=_number(req, "skip", 0, MAX_SKIP),
            take=_number(req, "take", 20, MAX_TAKE),
        )

    @property
    def needle(self) -> str:
        """What every id that matches has in it."""
        ids = [word for name, word in self.fields if name in ("id", "packageid")]
        return max((*ids, *self.words), key=len, default="")

    def by_id(self, row: PackageRow) -> bool:
        """Does the id alone match?"""
        id = row.key.name
        return all(word in id for word in self.words) and all(
            id == word if name == "packageid" else name == "id" and word in id for name, word in self.fields
        )

    def by_text(self, id: str, entry: dict[str, Any]) -> bool:
        """Does the id with the texts of a version match?"""
        tags = " ".join(entry.get("tags") or ()).lower()
        texts = {name: str(entry.get(name) or "").lower() for name in ("title", "description", "summary")}
        whole = " ".join((id, tags, *texts.values()))
        authors = str(entry.get("authors") or "").lower()
        places = {**texts, "tags": tags, "authors": authors, "id": id, "packageid": id}
        return all(word in whole for word in self.words) and all(
            id == word if name == "packageid" else word in places[name] for name, word in self.fields
        )

    def admits(self, version: Listed) -> bool:
        """May the client be shown it?"""
        return (
            render.is_listed(version)
            and (self.prerelease or not names.is_prerelease(version.version))
            and (self.semver2 or not native.unpack(version.native).semver2)
        )


_FIELDS = {"id": "id", "packageid": "packageid", "title": "title", "tags": "tags", "tag": "tags",
           "description": "description", "summary": "summary", "author": "authors", "authors": "authors"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hit:
    """A package with the versions that may be shown, ascending."""

    row: PackageRow
    versions: Sequence[Listed]
    entry: dict[str, Any] = field(default_factory=dict)


async def query(req: Req, view: RepoView) -> Answer:
    """Search.  `totalHits` is exact for few candidates, else at most what there is."""
    asked = Query.of(req, req.query.get("q", ""))
    hits, total = await _hits(view, asked)
    hive = render.SEMVER2 if asked.semver2 else render.ZIPPED
    return reply.json({"totalHits": total, "data": [_result(hit, hive, req.base) for hit in hits]})


async def autocomplete(req: Req, view: RepoView) -> Answer:
    """Ids that have the words of `q`, or the versions of `id`."""
    asked = Query.of(req, req.query.get("q", ""))
    if "id" in req.query:
        return reply.json({"data": await _versions(view, asked, req.query["id"])})
    hits, total = await _hits(view, asked, only_ids=True)
    return reply.json({"totalHits": total, "data": [_shown_id(hit) for hit in hits]})


async def _versions(view: RepoView, asked: Query, id: str) -> list[str]:
    try:
        listing = await view.listing(names.package(id))
    except ValueError:
        return []
    return [each.display for each in _admitted(listing, asked)]


async def _hits(view: RepoView, asked: Query, *, only_ids: bool = False) -> tuple[list[Hit], int]:
    """The hits of the page, and how many there are in all.

    The package of exactly that id, then those whose id has the words, then those whose texts have them.  What is
    stored decides; only what is shown is asked for at external registries.
    """
    rows = [row async for row in _rows(view, asked.needle, MAX_SKIP + MAX_TAKE) if asked.by_id(row)]
    rows.sort(key=lambda row: row.key.name != " ".join(asked.words))
    wanted = asked.skip + asked.take
    found: list[Hit] = []
    looked = 0
    while looked < len(rows) and (len(found) < wanted or looked < _ALL):
        batch = rows[looked : looked + _BATCH]
        looked += len(batch)
        found += await _stored(view, asked, batch)
    if looked == len(rows) and not only_ids and (asked.words or asked.fields):
        known = {row.key for row in rows}
        others = [row async for row in _rows(view, "", _READ) if row.key not in known]
        for start in range(0, len(others), _BATCH):
            found += await _stored(view, asked, others[start : start + _BATCH])
    shown = found[asked.skip : wanted]
    if len(shown) <= _ASKED_FOR:
        gate = asyncio.Semaphore(_TOGETHER)
        shown = list(await asyncio.gather(*(_renewed(view, asked, hit, gate) for hit in shown)))
    return shown, len(found) + len(rows) - looked


async def _stored(view: RepoView, asked: Query, rows: Sequence[PackageRow]) -> list[Hit]:
    """Those packages that match and show something to this client."""
    listings = await view.stored([row.key for row in rows])
    hits = (_hit(asked, row, listing) for row, listing in zip(rows, listings, strict=True))
    return [hit for hit in hits if hit is not None]


def _hit(asked: Query, row: PackageRow, listing: Listing) -> Hit | None:
    versions = _admitted(listing, asked)
    if not versions:
        return None
    entry = native.fields(versions[-1].native)
    if (asked.kind and asked.kind not in _types(entry)) or not asked.by_text(row.key.name, entry):
        return None
    return Hit(row, versions, entry)


async def _renewed(view: RepoView, asked: Query, hit: Hit, gate: asyncio.Semaphore) -> Hit:
    """With what external registries have of it, where they can be asked."""
    async with gate:
        try:
            versions = _admitted(await view.listing(hit.row.key), asked)
        except RegistryError:
            return hit
    return Hit(hit.row, versions, native.fields(versions[-1].native)) if versions else hit


def _admitted(listing: Listing, asked: Query) -> list[Listed]:
    return [each for each in listing.versions if asked.admits(each)]


async def _rows(view: RepoView, text: str, most: int) -> AsyncIterator[PackageRow]:
    after: tuple[str, str] | None = None
    seen = 0
    while seen < most:
        page = await view.search(text, _PAGE, after)
        for row in page:
            yield row
        seen += len(page)
        if len(page) < _PAGE:
            return
        after = (page[-1].key.namespace or "", page[-1].key.name)


def _types(entry: dict[str, Any]) -> set[str]:
    """A package that declares no type is a dependency."""
    return {str(each.get("name", "")).lower() for each in entry.get("packageTypes") or ()} or {"dependency"}


def _result(hit: Hit, hive: render.Hive, base: str) -> dict[str, Any]:
    entry, latest = hit.entry, hit.versions[-1]
    place = f"{base}{hive.path}{names.quoted(hit.row.key)}"
    owners = entry.get("authors") or ""
    kept = ("description", "iconUrl", "licenseUrl", "projectUrl", "summary", "tags", "title", "deprecation",
            "vulnerabilities")  # fmt: skip
    shown = {name: _closed(entry[name], base) for name in kept if entry.get(name)}
    return {
        "@id": f"{place}/index.json",
        "@type": "Package",
        "registration": f"{place}/index.json",
        "id": _shown_id(hit),
        "version": str(entry.get("version") or latest.display),
        "description": "",
        "tags": [],
        "authors": [owners] if isinstance(owners, str) and owners else owners or [],
        "owners": [],
        "totalDownloads": 0,
        "verified": False,
        "packageTypes": entry.get("packageTypes") or [{"name": "Dependency"}],
        "versions": [
            {"version": each.display, "downloads": 0, "@id": f"{place}/{each.version}.json"} for each in hit.versions
        ],
        **shown,
    }


def _closed(value: T, base: str) -> T | str:
    """An address of ours, whole."""
    ours = isinstance(value, str) and value.startswith(native.BASE_TEXT)
    return base + str(value).removeprefix(native.BASE_TEXT) if ours else value


def _shown_id(hit: Hit) -> str:
    return str(hit.entry.get("id") or hit.row.display)


def _flag(req: Req, name: str) -> bool:
    return req.query.get(name, "").strip().lower() in ("true", "1")


def _number(req: Req, name: str, default: int, most: int) -> int:
    """Above the limit counts as the limit, as the gallery takes it."""
    text = req.query.get(name, "").strip() or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Validation(f"The parameter {name!r} is not a number: {text[:80]!r}")
    return min(int(text), most)
