"""`PUT {scope}/{name}/{version}`: what `swift package-registry publish` and curl send (specification, section 4.6)."""

from __future__ import annotations

import base64
from contextlib import AsyncExitStack

import msgspec
from msgspec import Raw
from starlette.responses import Response

from protocols.swift import accept, archive, names, release
from protocols.swift.archive import Contents
from protocols.swift.problem import VERSION, Unprocessable
from protocols.swift.release import Release
from registry.core import threads
from registry.core.errors import Conflict, TooLarge, Validation
from registry.core.types import Draft, DraftAsset, Staged, VersionKey
from registry.core.view import RepoView
from registry.web import multipart
from registry.web.adapter import Answer
from registry.web.multipart import Form, Limits
from registry.web.request import Req

ARCHIVE = "source-archive"
SIGNATURE = "source-archive-signature"
METADATA = "metadata"
METADATA_SIGNATURE = "metadata-signature"
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
"""The object identifier with which every CMS SignedData begins."""


async def publish(req: Req, view: RepoView) -> Answer:
    """The release is there when this answers 201.  Who may not publish it is told before the archive is read."""
    accept.check(req.headers.get("accept"), "json")
    key = _key(req)
    signed = _signature_format(req)
    async with view.early(key.package, [], version=key.version) as early:
        if early.seen.held is not None:
            raise Conflict(
                f"{_id(req)} {key.version} is in this repository",
                resource_id=key.version,
                resource_type="package-version",
            )
    quotas = view.services.quotas
    limits = Limits(
        parts=16,
        files=1,
        field_bytes=release.MAX_METADATA,
        fields_bytes=release.MAX_METADATA + 2 * release.MAX_SIGNATURE,
        file_bytes=quotas.asset_bytes,
    )
    form = multipart.receive(
        req.headers.get("content-type", ""), req.stream(), view.stage, limits=limits, files=(ARCHIVE,)
    )
    async with form as received, AsyncExitStack() as stack:
        draft = await _draft(_id(req), key, received, signed=signed, stack=stack, view=view)
        if len(draft.assets) > quotas.assets_per_version:
            raise TooLarge(f"A release has at most {quotas.assets_per_version} files")
        await view.publish(draft)
    location = f"{req.base}{req.path['scope']}/{req.path['name']}/{req.path['version']}"
    return Response(b"", 201, {**VERSION, "location": location})


def _key(req: Req) -> VersionKey:
    try:
        package = names.package(req.path["scope"], req.path["name"])
        return VersionKey(package, names.canonical_version(req.path["version"]))
    except ValueError as err:
        raise Validation(str(err)) from None


def _id(req: Req) -> str:
    return f"{req.path['scope']}.{req.path['name']}"


def _signature_format(req: Req) -> bool:
    """Is the release signed?  Raises Validation for a format other than the one there is."""
    format = req.headers.get("x-swift-package-signature-format")
    if format is not None and format != release.CMS:
        raise Validation(f"Signatures are {release.CMS} here, not {format[:80]!r}")
    return format is not None


async def _draft(
    display: str, key: VersionKey, form: Form, *, signed: bool, stack: AsyncExitStack, view: RepoView
) -> Draft:
    file = form.file(ARCHIVE)
    if file is None:
        raise Unprocessable(f"The form has no part {ARCHIVE!r}")
    parts = dict(form.fields)
    signature, metadata_signature = _signatures(parts, signed=signed)
    try:
        said = release.metadata(parts.get(METADATA, b"{}"))
        contents = await threads.run(_inspected, file.staged)
    except ValueError as err:
        raise Unprocessable(str(err)) from None
    name = names.archive(key.package.name, key.version)
    native = Release(
        archive=name,
        checksum=file.staged.digests.sha256,
        manifests=contents.tools,
        metadata=Raw(msgspec.json.encode(said)),
        signature=signature,
        metadata_signature=metadata_signature,
    )
    manifests = [DraftAsset(each, await _staged(stack, view, body)) for each, body in contents.manifests.items()]
    return Draft(
        key=key,
        display=key.version,
        native=release.encode(native),
        facts=release.facts(display, said, contents.readme),
        assets=(DraftAsset(name, file.staged), *manifests),
    )


def _inspected(staged: Staged) -> Contents:
    with staged.open() as file:
        return archive.inspect(file)


async def _staged(stack: AsyncExitStack, view: RepoView, body: bytes) -> Staged:
    staging = await stack.enter_async_context(view.stage())
    await staging.write(body)
    return await staging.done()


def _signatures(parts: dict[str, bytes], *, signed: bool) -> tuple[str, str]:
    """Those of the archive and of the metadata, in base64.  Raises Validation, Unprocessable."""
    of_archive, of_metadata = parts.get(SIGNATURE, b""), parts.get(METADATA_SIGNATURE, b"")
    if bool(of_archive) != signed:
        missing = SIGNATURE if signed else "X-Swift-Package-Signature-Format"
        raise Validation(f"A signed release needs the part {SIGNATURE!r} and its format; {missing} is missing")
    if of_metadata and not of_archive:
        raise Validation("The metadata cannot be signed without the archive")
    if of_archive and METADATA in parts and not of_metadata:
        raise Validation(f"A signed release with metadata needs the part {METADATA_SIGNATURE!r}")
    for part, body in ((SIGNATURE, of_archive), (METADATA_SIGNATURE, of_metadata)):
        if len(body) > release.MAX_SIGNATURE:
            raise TooLarge(f"The part {part!r} is larger than {release.MAX_SIGNATURE} bytes")
        if body and not _is_cms(body):
            raise Unprocessable(f"The part {part!r} is not a CMS signature")
    return base64.b64encode(of_archive).decode(), base64.b64encode(of_metadata).decode()


def _is_cms(body: bytes) -> bool:
    """A DER sequence of exactly this length that begins with the identifier of SignedData (RFC 5652, section 3)."""
    if len(body) < 16 or body[0] != 0x30:
        return False
    if body[1] < 0x80:
        begin, length = 2, body[1]
    else:
        begin = 2 + (body[1] & 0x7F)
        length = int.from_bytes(body[2:begin], "big")
    return begin <= 6 and begin + length == len(body) and body[begin:].startswith(_SIGNED_DATA)
