"""Answers that are gems."""

from __future__ import annotations

from protocols.ruby.names import readings
from protocols.ruby.pages import missing
from registry.core.errors import ResourceNotFound, UpstreamUnavailable
from registry.core.types import PackageKey, VersionKey
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req


async def gem(req: Req, view: RepoView) -> Answer:
    """`gems/{name}-{version}[-{platform}].gem`.  A name with several readings is looked for in each of them."""
    filename = req.path["file"]
    unasked: UpstreamUnavailable | None = None
    for reading in readings(filename):
        key = VersionKey(PackageKey("ruby", None, reading.name), reading.version)
        try:
            return await reply.content(req, await view.open(key, filename))
        except ResourceNotFound:
            continue
        except UpstreamUnavailable as err:
            unasked = unasked or err
    raise unasked or missing(filename)
