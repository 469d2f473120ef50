"""An upload's form -> Draft (the public index's "Legacy API").

The metadata inside the file wins over the form; name, version and file name must agree; every digest that
was sent is verified.  Reads the staged file, so the blocking part runs in a thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from protocols.pypi import core
from protocols.pypi.artifact import Document, read
from protocols.pypi.core import Core
from protocols.pypi.names import Filename, canonical, canonical_version, display_version, parse_filename, parse_version
from protocols.pypi.native import FileFacts, encode, pack, version_native
from registry.core import threads
from registry.core.errors import Validation
from registry.core.types import Digests, Draft, DraftAsset, PackageKey, Staged, VersionKey
from registry.web.multipart import FilePart, Form, Limits

UPLOADABLE = (".whl", ".tar.gz", ".zip", ".egg")
_MAX_ATTESTATIONS = 1024**2
_MAX_SIGNATURE = 64 * 1024
_STEP = 1024 * 1024


def limits(asset_bytes: int) -> Limits:
    """What an upload may hold: one distribution, perhaps a signature; long descriptions, hundreds of fields."""
    return Limits(files=2, field_bytes=8 * 1024**2, fields_bytes=24 * 1024**2, file_bytes=asset_bytes)


async def draft(form: Form) -> Draft:
    """The version and its one file.  Raises Validation, in the uploader's terms, for everything that is wrong."""
    check_action(form)
    content = form.file("content")
    if content is None or not content.filename:
        raise Validation("The form has no file in its field 'content'")
    filename = content.filename
    try:
        if not filename.lower().endswith(UPLOADABLE):
            raise ValueError(f"{filename!r} is not a .whl, .tar.gz, .zip or .egg file")
        key = package(form)
        named = parse_filename(filename, key.name if key else None)
        return await threads.run(_draft, form, content, named)
    except ValueError as err:
        raise Validation(str(err)) from None


def check_action(form: Form) -> None:
    """Raises Validation unless the form is a file upload of the one version of the protocol."""
    action, version = form.text(":action"), form.text("protocol_version")
    if action != "file_upload":
        raise Validation(f"The form's ':action' is {action!r}; only 'file_upload' is supported")
    if version not in {None, "", "1"}:
        raise Validation(f"The form's 'protocol_version' is {version!r}; only '1' is supported")


def package(form: Form) -> PackageKey | None:
    """The package that the form names, if that field has come already.  Raises Validation."""
    name = form.text("name")
    if name is None:
        return None
    try:
        return PackageKey("pypi", *canonical(None, name))
    except ValueError as err:
        raise Validation(str(err)) from None


def _draft(form: Form, content: FilePart, named: Filename) -> Draft:
    _verify(form, content)
    with content.staged.open() as file:
        document = read(file, named)
    texts = _texts(form)
    told = core.from_bytes(document.body) if document is not None else core.from_form(texts)
    key = _agreed(told, named, texts)
    native = encode(_file_facts(form, content, told, document if named.kind == "wheel" else None))
    return Draft(
        key=key,
        display=display_version(told.version),
        native=version_native(core.info(told)),
        facts=core.facts(told),
        assets=(DraftAsset(content.filename or "", content.staged, native),),
        exists="add",
    )


def _texts(form: Form) -> dict[str, list[str]]:
    """Every field, leniently decoded: they matter only where the file says nothing."""
    texts: dict[str, list[str]] = {}
    for name, value in form.fields:
        texts.setdefault(name, []).append(value.decode("utf-8", "replace"))
    return texts


def _agreed(told: Core, named: Filename, texts: Mapping[str, list[str]]) -> VersionKey:
    """The identity that file name, metadata and form agree on."""
    _, name = canonical(None, told.name)
    version = canonical_version(str(parse_version(told.version)))
    if named.project != name:
        raise ValueError(f"The file name says project {named.project!r}, its metadata says {told.name!r}")
    # A wheel's name may spell the dash of a version as an underscore.
    if canonical_version(str(parse_version(named.version))) != version:
        raise ValueError(f"The file name says version {named.version!r}, its metadata says {told.version!r}")
    for sent in texts.get("name", []):
        if canonical(None, sent)[1] != name:
            raise ValueError(f"The form says name {sent!r}, the file's metadata says {told.name!r}")
    for sent in texts.get("version", []):
        if canonical_version(str(parse_version(sent))) != version:
            raise ValueError(f"The form says version {sent!r}, the file's metadata says {told.version!r}")
    return VersionKey(PackageKey("pypi", None, name), version)


def _verify(form: Form, content: FilePart) -> None:
    """Compare every digest sent (hex, any case) with the bytes that came."""
    digests: Digests = content.staged.digests
    for field, actual in (("md5_digest", digests.md5), ("sha256_digest", digests.sha256)):
        _same(form, field, actual)
    if (form.text("blake2_256_digest") or "").strip():
        _same(form, "blake2_256_digest", _blake2(content.staged))


def _same(form: Form, field: str, actual: str) -> None:
    sent = (form.text(field) or "").strip().lower()
    if sent and sent != actual:
        raise ValueError(f"The {field} sent is {sent!r}, but the content has {actual!r}")


def _blake2(staged: Staged) -> str:
    digest = hashlib.blake2b(digest_size=32)
    with staged.open() as file:
        while chunk := file.read(_STEP):
            digest.update(chunk)
    return digest.hexdigest()


def _file_facts(form: Form, content: FilePart, told: Core, document: Document | None) -> FileFacts:
    attested = _attested(form)
    signature = _signature(form)
    return FileFacts(
        requires_python=told.requires_python,
        core_metadata=None if document is None else document.sha256,
        gpg_sig=True if signature else None,
        attested=attested,
        signature=signature,
    )


def _attested(form: Form) -> bytes | None:
    """A provenance object (PEP 740) around the attestations that were sent, deflated."""
    sent = next((value for name, value in form.fields if name == "attestations"), b"")
    if not sent.strip():
        return None
    if len(sent) > _MAX_ATTESTATIONS:
        raise ValueError(f"The attestations are larger than {_MAX_ATTESTATIONS} bytes")
    try:
        attestations = msgspec.json.decode(sent, type=list[dict[str, msgspec.Raw]])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError("The field 'attestations' is not a JSON array of objects") from None
    bundle = {"publisher": {"kind": "Token", "claims": None}, "attestations": attestations}
    return pack(msgspec.json.encode({"version": 1, "attestation_bundles": [bundle]}))


def _signature(form: Form) -> bytes | None:
    """The armored signature of old clients: a small file part."""
    part = form.file("gpg_signature")
    if part is None or part.staged.size == 0:
        return None
    if part.staged.size > _MAX_SIGNATURE:
        raise ValueError(f"The signature is larger than {_MAX_SIGNATURE} bytes")
    with part.staged.open() as file:
        body = file.read()
    if not body.lstrip().startswith(b"-----BEGIN PGP SIGNATURE-----"):
        raise ValueError("The signature is not in armored form")
    return pack(body)
