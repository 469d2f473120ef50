"""Indexes of a whole repository: put together from fragments, one for each package, of which only those are made anew
whose package has changed.

    rendered, catalog = await wide.index(req, view, kind="names", fragment=fragment, render=render)

Everything is of what is stored along the chain; external registries are not asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from registry.core.catalogs import Catalog
from registry.core.types import Listing, PackageKey
from registry.core.view import RepoView
from registry.web import exchange
from registry.web.rendered import Rendered
from registry.web.request import Req

F = TypeVar("F")


async def index(
    req: Req,
    view: RepoView,
    *,
    kind: str,
    fragment: Callable[[Listing], F | None],
    render: Callable[[Mapping[PackageKey, F]], bytes],
    packed: bool = False,
) -> tuple[Rendered, Catalog]:
    """A rendered index, for one who may read the repository.

    `fragment(listing)` is pure and the same for every kind of a format; None leaves the package out.  `render` is
    pure too; both run in a thread.  `packed`: what it gives does not shrink.
    """
    catalog = await view.catalog()
    indexes = exchange.of(req.request.scope).indexes
    place = (view.repository.id, view.info.name)
    ledger = indexes.ledgers.of(place)

    async def made() -> bytes:
        async with ledger.lock:
            await ledger.bring(view, catalog, fragment)
            return await asyncio.to_thread(render, ledger.fragments)

    return await indexes.made((*place, "wide", kind), catalog.stamp, made, packed=packed), catalog
