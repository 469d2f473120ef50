"""Requests that change something: `gem push` and `gem yank`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from urllib.parse import parse_qs

from protocols.ruby import gemfile, gemspec, names, native
from protocols.ruby.gemfile import Gem
from protocols.ruby.native import encode, of_spec, version_facts
from protocols.ruby.pages import missing
from protocols.ruby.render import version_platforms
from registry.core import threads
from registry.core.errors import AccessDenied, Conflict, ResourceNotFound, TooLarge, Validation
from registry.core.types import Change, Draft, DraftAsset, PackageKey, Staged, Status, Version, VersionKey
from registry.core.view import Published, RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.multipart import Limits, media_type, receive
from registry.web.request import Req

_PEEK = 256 * 1024
"""Bytes of a gem after which it is looked at who publishes what, while the rest arrives."""
_MAX_FORM = 64 * 1024


async def push(req: Req, view: RepoView) -> Answer:
    """`POST api/v1/gems`: the gem as the body, or (`gem push --attestation`) as the part `gem` of a form."""
    kind, _ = media_type(req.headers.get("content-type", ""))
    if kind == "multipart/form-data":
        limits = Limits(files=2, file_bytes=view.services.quotas.asset_bytes)
        async with receive(req.headers["content-type"], req.stream(), view.stage, limits=limits) as form:
            part = form.file("gem") or next(iter(form.files), None)
            if part is None:
                raise Validation("The form has no file in its field 'gem'")
            return _said(await _publish(view, part.staged))
    async with view.stage() as staging:
        async for chunk in _checked(req, view):
            await staging.write(chunk)
        return _said(await _publish(view, await staging.done()))


async def _checked(req: Req, view: RepoView) -> AsyncIterator[bytes]:
    """The body, broken off early for whom may not publish it, or when it is too large."""
    prefix: bytearray | None = bytearray()
    size, most = 0, view.services.quotas.asset_bytes
    async for chunk in req.stream():
        size += len(chunk)
        if size > most:
            raise TooLarge(f"The gem is larger than {most} bytes")
        if prefix is not None:
            prefix += chunk
            if len(prefix) >= _PEEK:
                told = await threads.run(gemfile.peek, bytes(prefix))
                prefix = None
                if told is not None:
                    await view.may_publish(PackageKey("ruby", None, told.name))
        yield chunk


async def _publish(view: RepoView, staged: Staged) -> tuple[Gem, Published]:
    if not staged.size:
        raise Validation("The request has no gem in its body")
    try:
        gem = await threads.run(_read, staged)
    except ValueError as err:
        raise Validation(f"There was a problem saving your gem: {err}") from None
    spec = gem.spec
    package = PackageKey("ruby", None, spec.name)
    draft = Draft(
        key=VersionKey(package, spec.version),
        display=spec.version,
        native=b"",
        facts=gemspec.facts(spec, gem.readme),
        assets=(DraftAsset(f"{spec.full}.gem", staged, encode(of_spec(spec))),),
        exists="add",
    )
    try:
        async with view.early(package, [staged], version=spec.version) as early:
            published = await view.publish(draft, early=early)
        if not published.created and spec.platform in version_facts(published.version.native).yanked:
            raise Conflict(f"{spec.full} was yanked and cannot be published again")
        return gem, published
    except Conflict as err:
        raise Conflict(f"Repushing of gem versions is not allowed. {err.message}") from None
    except AccessDenied as err:
        raise AccessDenied(f"You do not have permission to push to this gem. {err.message}") from None


def _read(staged: Staged) -> Gem:
    with staged.open() as file:
        return gemfile.read(file, staged.size)


def _said(done: tuple[Gem, Published]) -> Answer:
    """200 and a line that gem prints; never 204, which it cannot read."""
    gem, published = done
    words = "Successfully registered gem:" if published.created else "Gem was already pushed:"
    return reply.text(f"{words} {gem.spec.name} ({gem.spec.tag})\n")


# --- yank ----------------------------------------------------------------------------------------


async def yank(req: Req, view: RepoView) -> Answer:
    """`DELETE api/v1/gems/yank`: out of every index, while locked builds still get the file.

    A version all of whose platforms are yanked is Unlisted; of one with several, only the platform named goes.
    """
    told = await _form(req)
    name, number = told.get("gem_name", ""), told.get("version", "")
    try:
        package = PackageKey("ruby", *names.canonical(None, name))
        key = VersionKey(package, names.canonical_version(number))
        platform = names.canonical_platform(told.get("platform") or "ruby")
    except ValueError as err:
        raise Validation(str(err)) from None
    own = await view.own(package)
    if own is None:
        raise missing(name)
    held = next((each for each in own[1] if each.key == key), None)
    if held is None or platform not in version_platforms(held):
        raise ResourceNotFound(f"The version {names.tag(number, platform)} does not exist.")
    await view.change(package, versions={key.version: _yanked(held, platform)})
    return reply.text(f"Successfully deleted gem: {name} ({names.tag(key.version, platform)})\n")


def _yanked(held: Version, platform: str) -> Change:
    left = version_platforms(held) - {platform, *version_facts(held.native).yanked}
    if left:
        return Change(native=partial(_mark, platform))
    return Change(native=_unmarked, status=Status.UNLISTED)


def _mark(platform: str, document: bytes) -> bytes:
    return native.yank(document, platform)


def _unmarked(document: bytes) -> bytes:
    """The status says it all; whoever sets it back has every platform again."""
    return b""


async def _form(req: Req) -> dict[str, str]:
    """gem sends a form as the body of a DELETE."""
    body = await req.body(_MAX_FORM)
    try:
        told = parse_qs(body.decode(), keep_blank_values=True)
    except (UnicodeDecodeError, ValueError):
        raise Validation("The body is no form") from None
    return {**dict(req.query), **{name: values[0] for name, values in told.items()}}
