"""`GET -/v1/search`: packages of this repository and its upstreams by part of their name.

What only an external registry has is not searched.  Beyond the guide, which offers list-packages instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from protocols.npm import manifest, names, render
from registry.core.errors import RegistryError, Validation
from registry.core.types import PackageRow
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req

MAX_SIZE = 250
_MAX_FROM = 5000
_PAGE = 200
_TOGETHER = 8
_QUALIFIERS = ("keywords:", "author:", "maintainer:", "is:", "not:", "boost-exact:")


@dataclass(frozen=True, slots=True)
class Query:
    """A search text taken apart: `needle` is looked for in the index, the rest is checked on what it finds."""

    needle: str
    words: tuple[str, ...]
    scope: str | None

    @classmethod
    def of(cls, text: str) -> Query:
        scope = None
        words: list[str] = []
        for word in text.split():
            if word.startswith("scope:"):
                scope = word.removeprefix("scope:").removeprefix("@")
            elif word.startswith("@"):
                scope, _, rest = word[1:].partition("/")
                words += [rest] if rest else []
            elif not word.startswith(_QUALIFIERS):
                words.append(word)
        needle = max(words, key=len) if words else scope or ""
        return cls(needle, tuple(word.lower() for word in words), scope)

    def matches(self, row: PackageRow) -> bool:
        if self.scope is not None and (row.key.namespace or "").lower() != self.scope.lower():
            return False
        full = names.full_name(row.key).lower()
        return all(word in full for word in self.words)


async def search(req: Req, view: RepoView) -> Answer:
    """The objects of one page.  `total` counts what was found so far, at least."""
    size = min(_number(req, "size", 20), MAX_SIZE)
    start = min(_number(req, "from", 0), _MAX_FROM)
    rows = await _rows(view, Query.of(req.query.get("text", "")), start + size + 1)
    gate = asyncio.Semaphore(_TOGETHER)

    async def described(row: PackageRow) -> dict[str, Any] | None:
        async with gate:
            return await _object(view, row)

    objects = await asyncio.gather(*(described(row) for row in rows[start : start + size]))
    found = [each for each in objects if each is not None]
    now = render.iso(view.services.clock.now())
    return reply.json({"objects": found, "total": len(rows), "time": now})


async def _rows(view: RepoView, query: Query, wanted: int) -> Sequence[PackageRow]:
    rows: list[PackageRow] = []
    after: tuple[str, str] | None = None
    while len(rows) < wanted:
        page = await view.search(query.needle, _PAGE, after)
        rows += [row for row in page if query.matches(row)]
        if len(page) < _PAGE:
            break
        after = (page[-1].key.namespace or "", page[-1].key.name)
    return rows[:wanted]


async def _object(view: RepoView, row: PackageRow) -> dict[str, Any] | None:
    """One hit; None for a package that shows no version (any more), or cannot be read now."""
    try:
        listing = await view.listing(row.key)
    except RegistryError:
        return None
    latest = render.latest(listing)
    if latest is None:
        return None
    fields = manifest.parse(manifest.unpack(latest.native).full)
    known = {name: manifest.value(fields, name) for name in ("description", "keywords", "homepage", "_npmUser")}
    publisher = known["_npmUser"] if isinstance(known["_npmUser"], dict) else {}
    who = {"username": str(publisher.get("name", "")), "email": str(publisher.get("email", ""))}
    homepage = known["homepage"]
    package = {
        "name": names.full_name(row.key),
        "scope": row.key.namespace or "unscoped",
        "version": latest.display,
        "description": known["description"] if isinstance(known["description"], str) else "",
        "keywords": known["keywords"] if isinstance(known["keywords"], list) else [],
        "date": render.iso(latest.published),
        "links": {"homepage": homepage} if isinstance(homepage, str) else {},
        "publisher": who,
        "maintainers": [who],
    }
    score = {"final": 1.0, "detail": {"quality": 1.0, "popularity": 1.0, "maintenance": 1.0}}
    return {"package": package, "score": score, "searchScore": 1.0}


def _number(req: Req, name: str, default: int) -> int:
    text = req.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Validation(f"The parameter {name!r} is not a number: {text[:80]!r}")
    return int(text)
