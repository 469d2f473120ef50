"""The control plane in this process, over a real store and real files: no socket, real signatures."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest, create_request_object, prepare_request_dict
from botocore.credentials import Credentials
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from registry.control.dispatch import ControlPlane
from registry.core import publishing
from registry.core.arns import Arns
from registry.core.errors import ResourceNotFound
from registry.core.ports import Content, Tx
from registry.core.services import Services
from registry.core.types import (
    AccessKey,
    Caller,
    Draft,
    DraftAsset,
    Facts,
    FormatInfo,
    Listing,
    PackageKey,
    PackageRow,
    Quotas,
    Repository,
    Stamp,
    User,
    Version,
    VersionKey,
)
from registry.identity.secrets import Secrets
from registry.identity.tokens import Tokens
from storage.blobs.filesystem import FileBlobs
from storage.metadata.sqlite import SQLiteStore

OWNER, OTHER = "111122223333", "444455556666"
ADMINISTRATOR = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
SERVICE = botocore.session.get_session().get_service_model("codeartifact")


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.time = 1_700_000_000_000

    def now(self) -> int:
        self.time += 1
        return self.time


class Alone:
    """The resolver of a server without upstreams."""

    async def listing(self, repo: Repository, package: PackageKey) -> Listing:
        raise ResourceNotFound("Nothing upstream")

    async def stamp(self, repo: Repository, package: PackageKey) -> Stamp:
        raise ResourceNotFound("Nothing upstream")

    async def open(self, repo: Repository, key: VersionKey, asset: str, *, retain: bool = True) -> Content:
        raise ResourceNotFound("Nothing upstream")

    async def alone(self, tx: Tx, repo: Repository) -> bool:
        return False

    async def reachable(self, repo: Repository, key: VersionKey) -> str | None:
        return None

    async def search(
        self, repo: Repository, format: str, text: str, after: tuple[str, str] | None, limit: int
    ) -> list[PackageRow]:
        return []

    async def secure(self, repo: Repository, key: VersionKey) -> Repository | None:
        return None


def _asset_name(name: str) -> None:
    if "/" in name:
        raise ValueError(f"'{name}' is not an asset name")


def _lower(namespace: str | None, name: str) -> tuple[str | None, str]:
    return namespace, name.lower()


FORMATS = {
    "npm": FormatInfo("npm", lambda ns, n: (ns, n), lambda v: v, lambda v: v, tag_latest="latest"),
    "pypi": FormatInfo("pypi", _lower, lambda v: v, lambda v: v, grows=True),
    "generic": FormatInfo(
        "generic",
        lambda ns, n: (ns, n),
        lambda v: v,
        lambda v: v,
        namespace_required=True,
        upstreams=False,
        asset_name=_asset_name,
    ),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, read as botocore reads it."""

    status: int
    headers: dict[str, str]
    body: bytes
    parsed: dict[str, Any]
    received: int

    @property
    def code(self) -> str:
        return str(self.parsed.get("Error", {}).get("Code", ""))

    @property
    def message(self) -> str:
        return str(self.parsed.get("Error", {}).get("Message", ""))


@dataclass(frozen=True, slots=True)
class Signed:
    """A request on its way; tests change it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Plane:
    """One server.  `call` sends an operation as the given user."""

    services: Services
    clock: Clock
    app: ControlPlane
    directory: Path
    keys: dict[str, Credentials] = field(default_factory=dict)

    async def call(self, operation: str, user: str = "admin", **params: Any) -> dict[str, Any]:
        """The answer's members.  Fails where the answer is an error."""
        answer = await self.ask(operation, user, **params)
        assert answer.status == 200, (operation, answer.status, answer.body)
        answer.parsed.pop("ResponseMetadata", None)
        return answer.parsed

    async def ask(self, operation: str, user: str = "admin", **params: Any) -> Answer:
        return await self.send(operation, self.sign(operation, self.keys[user], params))

    def sign(
        self, operation: str, credentials: Credentials | None, params: dict[str, Any], *, late: timedelta = timedelta(0)
    ) -> Signed:
        """As botocore serializes and signs."""
        request = create_serializer("rest-json").serialize_to_request(params, SERVICE.operation_model(operation))
        prepare_request_dict(request, endpoint_url="http://registry.test", context={})
        return self.sign_request(create_request_object(request), credentials, late=late)

    def sign_request(
        self, request: AWSRequest, credentials: Credentials | None, *, late: timedelta = timedelta(0)
    ) -> Signed:
        now = datetime.fromtimestamp(self.clock.time / 1000, UTC) - late
        if credentials is not None:
            with mock.patch("botocore.auth.get_current_datetime", lambda **_: now.replace(tzinfo=None)):
                botocore.auth.SigV4Auth(credentials, "codeartifact", "us-west-2").add_auth(request)
        prepared = request.prepare()
        parts = urlsplit(prepared.url)
        body = prepared.body if isinstance(prepared.body, bytes) else (prepared.body or "").encode()
        headers = [(k, v.decode() if isinstance(v, bytes) else str(v)) for k, v in prepared.headers.items()]
        if not any(k.lower() == "host" for k, _ in headers):
            headers.append(("Host", "registry.test"))
        return Signed(prepared.method, f"{parts.path}?{parts.query}", headers, body)

    def presign(self, operation: str, params: dict[str, Any]) -> Signed:
        """Signed in the query, as for an address that is handed on."""
        request = create_serializer("rest-json").serialize_to_request(params, SERVICE.operation_model(operation))
        prepare_request_dict(request, endpoint_url="http://registry.test", context={})
        made = create_request_object(request)
        now = datetime.fromtimestamp(self.clock.time / 1000, UTC).replace(tzinfo=None)
        with mock.patch("botocore.auth.get_current_datetime", lambda **_: now):
            botocore.auth.SigV4QueryAuth(self.keys["admin"], "codeartifact", "us-west-2").add_auth(made)
        return self.sign_request(made, None)

    async def send(self, operation: str | None, signed: Signed) -> Answer:
        """Send it and read the answer; `received` says how often the body was asked for."""
        received, sent, waiting = 0, [], asyncio.Event()

        async def receive() -> dict[str, Any]:
            nonlocal received
            received += 1
            if received > 1:
                await waiting.wait()
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": signed.body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(_scope(signed), receive, send)
        return _read(operation, sent, received)

    async def abort(self, signed: Signed) -> list[Any]:
        """Send the body and leave before it is complete; what was sent back."""
        messages = iter([{"type": "http.request", "body": signed.body, "more_body": True}, {"type": "http.disconnect"}])
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(_scope(signed), receive, send)
        return sent

    async def publish(
        self, repository: str, package: str, version: str, *, format: str = "npm", domain: str = "dom", **options: Any
    ) -> Version:
        """Publish a version through the core, as an adapter does."""
        row = await self._row(domain, repository)
        info = self.services.formats[format]
        namespace, name = info.canonical(options.pop("namespace", None), package)
        files: dict[str, bytes] = options.pop("files", {f"{name}-{version}.tgz": b"content of " + version.encode()})
        facts = options.pop("facts", Facts(display=package))
        async with staged(self.services, row.domain_id, files) as assets:
            draft = Draft(
                VersionKey(PackageKey(format, namespace, name), version),
                version,
                b"{}",
                facts,
                tuple(assets),
                **options,
            )
            done = await publishing.publish(
                self.services, repository=row, info=info, draft=draft, caller=await self.caller(), context={}
            )
        return done.version

    async def caller(self) -> Caller:
        user = await self.services.store.read(lambda tx: tx.identity.user(OWNER, "admin"))
        assert user is not None
        return Caller(OWNER, f"arn:aws:iam::{OWNER}:user/admin", user.id, "admin")

    async def _row(self, domain: str, repository: str) -> Repository:
        from registry.core import repositories
        from registry.core.types import DomainKey, RepoKey

        key = RepoKey(DomainKey(OWNER, domain), repository)
        return await self.services.store.read(lambda tx: repositories.repository(tx, key))

    async def user(self, name: str, *, account: str = OWNER, document: str | None = None) -> None:
        """A user with an access key, and with one policy or none."""
        key = Credentials(f"AKIA{account[:4]}{name.upper()}", f"secret of {name}")
        sealed = self.app._secrets.seal(key.secret_key.encode(), key.access_key)

        async def work(tx: Any) -> None:
            await tx.identity.add_account(account, 0)
            await tx.identity.add_user(User(account, name, "/", f"AIDA{secrets.token_hex(8)}", 0))
            await tx.identity.add_key(AccessKey(key.access_key, account, name, sealed, True), 0)
            if document is not None:
                await tx.identity.put_policy(account, name, "own", document)

        await self.services.store.write(work)
        self.keys[name] = key


class staged:
    """Files staged for a draft."""

    def __init__(self, services: Services, domain_id: int, files: dict[str, bytes]) -> None:
        from contextlib import AsyncExitStack

        self._stack = AsyncExitStack()
        self._blobs, self._files = services.blobs(domain_id), files

    async def __aenter__(self) -> Sequence[DraftAsset]:
        assets = []
        for name, content in self._files.items():
            staging = await self._stack.enter_async_context(self._blobs.stage())
            await staging.write(content)
            assets.append(DraftAsset(name, await staging.done()))
        return assets

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()


async def start(directory: Path, quotas: Quotas | None = None) -> AsyncIterator[Plane]:
    """A server on an empty directory, with an administrator in one account and another in a second."""
    store, clock, secrets = SQLiteStore(directory / "meta.db"), Clock(), Secrets(b"k" * 32)
    await store.open()
    blobs = FileBlobs(directory / "blobs")
    await blobs.open()
    services = Services(
        store=store,
        blobs=blobs.of,
        resolver=Alone(),
        clock=clock,
        arns=Arns("us-west-2"),
        formats=FORMATS,
        quotas=quotas or Quotas(),
        connections={"public:npmjs": "npm", "public:pypi": "pypi"},
        page_key=secrets.derive("pages"),
    )
    app = ControlPlane(services, secrets=secrets, tokens=Tokens(secrets.derive("tokens")))
    plane = Plane(services, clock, app, directory)
    await plane.user("admin", document=ADMINISTRATOR)
    await plane.user("nobody")
    await plane.user("stranger", account=OTHER, document=ADMINISTRATOR)
    try:
        yield plane
    finally:
        await store.close()
        await blobs.close()


def _scope(signed: Signed) -> dict[str, Any]:
    path, _, query = signed.target.partition("?")
    return {
        "type": "http",
        "method": signed.method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in signed.headers],
        "scheme": "http",
        "client": ("127.0.0.1", 1),
    }


def _read(operation: str | None, sent: list[Any], received: int) -> Answer:
    status = sent[0]["status"]
    headers = {k.decode(): v.decode("latin-1") for k, v in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    assert headers["content-length"] == str(len(body))
    if operation is None:
        return Answer(status, headers, body, {}, received)
    shape = SERVICE.operation_model(operation).output_shape
    if status == 200 and shape.serialization.get("payload"):
        members = {
            n: headers[m.serialization["name"].lower()]
            for n, m in shape.members.items()
            if "location" in m.serialization
        }
        return Answer(status, headers, body, members, received)
    response = {"status_code": status, "headers": _Cased(headers), "body": body}
    parsed = create_parser("rest-json").parse(response, shape)
    error = SERVICE.shape_for_error_code(parsed.get("Error", {}).get("Code", ""))
    if error is not None:
        parsed.update(create_parser("rest-json").parse(response, error))
    return Answer(status, headers, body, parsed, received)


class _Cased(dict[str, str]):
    """Header names without regard to case, as botocore expects them."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def with_header(signed: Signed, name: str, value: str) -> Signed:
    kept = [(k, v) for k, v in signed.headers if k.lower() != name.lower()]
    return replace(signed, headers=[*kept, (name, value)])
