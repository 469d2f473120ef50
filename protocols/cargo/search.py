"""`GET api/v1/crates?q=`: crates of this repository and its upstream repositories by part of their name.

What only an external registry has is not searched.  Beyond the guide, which lists `cargo search` as unsupported.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from protocols.cargo import lines, names
from registry.core import semver
from registry.core.errors import RegistryError, Validation
from registry.core.types import Listed, PackageRow
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req

_MOST = 100
_FURTHEST = 5000
_PAGE = 200
_TOGETHER = 8


async def search(req: Req, view: RepoView) -> Answer:
    """`total` counts what was found so far, at least."""
    size = max(1, min(_number(req, "per_page", 10), _MOST))
    start = min((max(1, _number(req, "page", 1)) - 1) * size, _FURTHEST)
    words = [names.folded(word) for word in req.query.get("q", "")[:200].split()]
    rows = await _rows(view, words, start + size + 1)
    gate = asyncio.Semaphore(_TOGETHER)

    async def described(row: PackageRow) -> dict[str, object] | None:
        async with gate:
            return await _crate(view, row)

    found = await asyncio.gather(*(described(row) for row in rows[start : start + size]))
    return reply.json({"crates": [each for each in found if each], "meta": {"total": len(rows)}})


async def _rows(view: RepoView, words: Sequence[str], wanted: int) -> Sequence[PackageRow]:
    """The index looks for the longest piece without a separator, since either spelling of those is meant."""
    pieces = [piece for word in words for piece in re.split("_+", word)]
    needle = max(pieces, key=len, default="")
    rows: list[PackageRow] = []
    after: tuple[str, str] | None = None
    while len(rows) < wanted:
        page = await view.search(needle, _PAGE, after)
        rows += [row for row in page if all(word in names.folded(row.key.name) for word in words)]
        if len(page) < _PAGE:
            break
        after = ("", page[-1].key.name)
    return rows[:wanted]


async def _crate(view: RepoView, row: PackageRow) -> dict[str, object] | None:
    """One hit; None for a crate that shows no version (any more), or cannot be read now."""
    try:
        listing = await view.listing(row.key)
        newest = _newest(listing.versions)
        if newest is None:
            return None
        facts = await view.facts(row.key, newest.version)
    except RegistryError:
        return None
    return {
        "name": listing.display or row.display,
        "max_version": newest.display,
        "description": (facts.summary or None) if facts is not None else None,
    }


def _newest(versions: Sequence[Listed]) -> Listed | None:
    """The highest that is not yanked, a release before a prerelease."""
    live = [each for each in versions if not lines.is_yanked(each)]
    releases = [each for each in live if not semver.is_prerelease(each.version)]
    found = releases or live
    return found[-1] if found else None


def _number(req: Req, name: str, default: int) -> int:
    text = req.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Validation(f"The parameter {name!r} is not a number: {text[:80]!r}")
    return int(text)
