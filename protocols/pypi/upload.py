"""Requests that change something: uploads of files, yank marks."""

from __future__ import annotations

from functools import partial
from urllib.parse import parse_qs

import msgspec
from starlette.responses import Response

from protocols.pypi import parse
from protocols.pypi.files import version_key
from protocols.pypi.native import set_yanked
from registry.core.errors import NotSupported, Validation
from registry.core.types import Change
from registry.core.view import Published, RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.multipart import Form, media_type, receive
from registry.web.request import Req

_MAX_MARK = 64 * 1024
_SMALL = 256 * 1024
_MAX_REASON = 1000


async def upload(req: Req, view: RepoView) -> Answer:
    """`POST R`: a file as twine, uv, poetry, hatch, flit and pdm send it.  The same bytes again succeed.

    XML-RPC comes to the same address (`pip search`) and is not supported.
    """
    content_type = req.headers.get("content-type", "")
    kind, _ = media_type(content_type)
    if kind in {"text/xml", "application/xml"}:
        raise NotSupported("XML-RPC (pip search) is not supported by this registry")

    async def refuse_early(form: Form) -> None:
        # Most clients send the fields before the file: then nothing big is read from who may not publish.
        package = parse.package(form)
        if package is not None:
            await view.may_publish(package)

    limits = parse.limits(view.services.quotas.asset_bytes)
    before = None if _is_small(req) else refuse_early
    async with receive(content_type, req.stream(), view.stage, limits=limits, before_file=before) as form:
        published = await _publish(view, form)
    word = "Published" if published.created else "Already here, unchanged:"
    key = published.version.key
    return reply.text(f"{word} {key.package.name} {published.version.display}\n")


def _is_small(req: Req) -> bool:
    """Will it fit into memory as it is?  Then rights are looked at when it is here."""
    length = req.headers.get("content-length", "")
    return length.isdecimal() and int(length) <= _SMALL


async def _publish(view: RepoView, form: Form) -> Published:
    """The file is being placed while its metadata is read."""
    package, content = parse.package(form), form.file("content")
    if package is None or content is None:
        return await view.publish(await parse.draft(form))
    async with view.early(package, [content.staged]) as early:
        return await view.publish(await parse.draft(form), early=early)


async def yank(req: Req, view: RepoView) -> Answer:
    """`POST simple/{project}/{version}/` with `yanked` and `reason` as JSON, form or query (PEP 592)."""
    key = version_key(req)
    mark = _mark(await _said(req))
    await view.change(key.package, versions={key.version: Change(native=partial(_marked, mark))})
    answer = {"name": key.package.name, "version": req.path["version"], "yanked": mark}
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _marked(mark: bool | str, native: bytes) -> bytes:
    return set_yanked(native, mark)


async def _said(req: Req) -> dict[str, object]:
    body = await req.body(_MAX_MARK)
    said: dict[str, object] = dict(req.query)
    kind, _ = media_type(req.headers.get("content-type", ""))
    if not body:
        return said
    try:
        if kind == "application/json":
            return said | msgspec.json.decode(body, type=dict[str, object])
        return said | {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        raise Validation("The body is neither a JSON object nor a form") from None


def _mark(said: dict[str, object]) -> bool | str:
    yanked, reason = said.get("yanked"), said.get("reason", "")
    truths: dict[object, bool] = {True: True, "true": True, "1": True, False: False, "false": False, "0": False}
    if not isinstance(yanked, str | bool) or yanked not in truths:
        raise Validation("'yanked' must be true or false")
    if not isinstance(reason, str) or len(reason) > _MAX_REASON:
        raise Validation(f"'reason' must be a text of at most {_MAX_REASON} characters")
    return truths[yanked] and (reason.strip() or True)
