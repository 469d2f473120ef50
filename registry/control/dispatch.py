"""The control plane's entry: every request to `/v1/...` takes the same way, in this order.

    claim -> route -> caller -> body -> signature -> parse -> validate -> authorize -> call -> answer

Nothing of a body is read before the request's claims are well formed and its access key is known; the body of a
streaming operation is not read before the caller may send it, so that `Expect: 100-continue` works.
The body's digest is part of the signature; where the body streams, the claimed one is, and the operation
compares it with what arrived.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from registry.control import failures, model, operations, outgoing, restjson, validate
from registry.control.call import TABLE, Call, Entry, Need, Target
from registry.control.failures import Failure, UnknownOperation
from registry.core.errors import RegistryError, Validation
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Caller
from registry.identity import callers, sigv4
from registry.identity.secrets import Secrets
from registry.identity.sessions import Sessions
from registry.identity.tokens import Tokens
from registry.identity.used import Used
from registry.web.audit import HIDDEN, Subject
from registry.web.exchange import KEY as EXCHANGE
from registry.web.exchange import Exchange

BODY_LIMIT = 1024 * 1024

log = logging.getLogger(__name__)

operations.load()


@dataclass(slots=True)
class _Request:
    """One request on its way; what is known of it grows."""

    id: str
    scope: Scope
    receive: Receive
    operation: model.Operation | None = None
    caller: Caller | None = None
    target: Target | None = None
    access_key: str = ""
    params: Mapping[str, Any] | None = None
    accounts: tuple[str, ...] = ()
    """Whom the request concerns beside its caller and the domain's owner: the repository's administrator."""

    @property
    def name(self) -> str:
        return self.operation.name if self.operation is not None else "-"

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = self.scope["headers"]
        return headers

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)


class ControlPlane:
    """ASGI application for `/v1/...`.

    `base(scope)` gives this server's address as the client sees it, without a trailing slash.
    """

    def __init__(
        self,
        services: Services,
        *,
        secrets: Secrets,
        tokens: Tokens,
        base: Callable[[Scope], str] | None = None,
        sessions: Sessions | None = None,
        used: Used | None = None,
    ) -> None:
        self._sessions = sessions or Sessions(secrets)
        self._used = used
        self._services = services
        self._secrets = secrets
        self._tokens = tokens
        self._base = base or _base
        self._model = model.load()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange | None = scope.get(EXCHANGE)
        request = _Request(exchange.id if exchange is not None else str(uuid.uuid4()), scope, receive)
        failed = None
        try:
            operation, value = await self._call(request)
            answer = await outgoing.result(operation, value, request.id)
        except ClientDisconnect:
            return
        except RegistryError as err:
            failed = failures.of(err, self._model, request.operation, request.target)
        except Exception:
            log.exception("Unexpected failure of %s, request %s", request.name, request.id)
            failed = failures.internal()
        if failed is not None:
            answer = outgoing.failure(failed, request.id)
        if exchange is not None:
            _note(exchange, request, failed)
        await answer.send(receive, send)

    async def _call(self, request: _Request) -> tuple[model.Operation, Mapping[str, Any]]:
        scope = request.scope
        claim = sigv4.parse(
            scope["method"],
            scope["raw_path"],
            scope["query_string"],
            request.headers,
            services=(self._model.signing_name,),
            now=self._services.clock.now(),
        )
        operation = request.operation = self._model.routes.get((scope["method"], scope["path"]))
        known = operation if operation is not None and operation.name in TABLE else None
        caller, secret = await self._services.store.glance(
            lambda tx: callers.by_key(
                tx,
                self._secrets,
                claim.access_key_id,
                sessions=self._sessions,
                session_token=claim.session_token,
                now=self._services.clock.now(),
            )
        )
        streams = known is not None and known.streams
        body = b"" if streams else await _read(request)
        digest = None if streams else hashlib.sha256(body).hexdigest()
        sigv4.check(claim, secret, body_sha256=digest)
        request.caller = caller
        request.access_key = claim.access_key_id
        if self._used is not None:
            await self._used.note(claim)
        if known is None:
            raise UnknownOperation()
        if self._services.rates is not None:
            self._services.rates.operation(known.name, caller.account)
        params = request.params = restjson.parse(known, scope["query_string"], request.headers, body)
        validate.check(known.input, params)
        call = await self._authorize(request, TABLE[known.name], caller, params)
        return known, await TABLE[known.name].function(call, params)

    async def _authorize(self, request: _Request, entry: Entry, caller: Caller, params: dict[str, Any]) -> Call:
        target = request.target = entry.on(self._services, caller, params)
        call = Call(
            services=self._services,
            tokens=self._tokens,
            caller=caller,
            operation=entry.name,
            params=params,
            target=target,
            needs=(Need(entry.name, target), *entry.also(self._services, caller, params)),
            context=_context(request, params),
            base=self._base(request.scope),
            body=_stream(request.receive),
            length=_length(request),
        )

        exchange: Exchange | None = request.scope.get(EXCHANGE)

        async def ask(tx: Tx) -> None:
            if exchange is not None and exchange.audited:
                request.accounts = await _administrator(tx, target)
            for need in call.needs:
                await call.require(tx, need)

        await self._services.store.glance(ask)
        return call


async def _administrator(tx: Tx, target: Target) -> tuple[str, ...]:
    """The account that administers the repository which the request is about."""
    if target.repository is None:
        return ()
    domain = await tx.domains.get(target.repository.domain)
    repository = await tx.repositories.get(domain.id, target.repository.name) if domain is not None else None
    return (repository.administrator,) if repository is not None else ()


def _context(request: _Request, params: Mapping[str, Any]) -> dict[str, str]:
    """Condition keys of the request (IAM User Guide, "AWS global condition context keys")."""
    scope = request.scope
    context = {"aws:SecureTransport": "true" if scope.get("scheme") == "https" else "false"}
    if scope.get("client"):
        context["aws:SourceIp"] = scope["client"][0]
    agent = request.header(b"user-agent")
    if agent is not None:
        context["aws:UserAgent"] = agent.decode("latin-1")
    tags = params.get("tags")
    keys = [tag["key"] for tag in tags] if tags else params.get("tagKeys")
    for tag in tags or ():
        context[f"aws:RequestTag/{tag['key']}"] = tag["value"]
    if keys:
        context["aws:TagKeys"] = "\n".join(keys)
    return context


def _length(request: _Request) -> int | None:
    """The declared length of the body; a server refuses malformed ones before they come here."""
    value = request.header(b"content-length")
    return int(value) if value is not None and value.isdigit() else None


async def _read(request: _Request) -> bytes:
    if (_length(request) or 0) > BODY_LIMIT:
        raise _too_large()
    whole = bytearray()
    async for chunk in _stream(request.receive):
        whole += chunk
        if len(whole) > BODY_LIMIT:
            raise _too_large()
    return bytes(whole)


def _too_large() -> Validation:
    return Validation(f"The request body is larger than {BODY_LIMIT} bytes", reason="CANNOT_PARSE")


async def _stream(receive: Receive) -> AsyncIterator[bytes]:
    """The body as it arrives.  Raises ClientDisconnect when it is cut short."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect()
        more = message.get("more_body", False)
        if message.get("body"):
            yield message["body"]


def _base(scope: Scope) -> str:
    host = next((value.decode("latin-1") for key, value in scope["headers"] if key == b"host"), "localhost")
    return f"{scope.get('scheme', 'http')}://{host}"


def _note(exchange: Exchange, request: _Request, failed: Failure | None) -> None:
    """For the log line of the request."""
    exchange.plane = "control"
    exchange.route = request.name
    if request.caller is not None:
        exchange.caller = request.caller.arn
    if request.target is not None:
        exchange.resource = request.target.arn
    if failed is not None:
        exchange.error = failed.type
    exchange.extra["subject"] = _subject(request, failed)


def _subject(request: _Request, failed: Failure | None) -> Subject:
    """For the audit trail (guide, "A log entry for calling the GetAuthorizationToken API")."""
    target = request.target
    accounts: tuple[str, ...] = ()
    if target is not None and target.domain is not None:
        accounts = (*request.accounts, target.domain.owner)
    return Subject(
        request.name,
        request.caller,
        request.params or {},
        read_only=request.name.startswith(("Describe", "Get", "List")) and request.name != "GetAuthorizationToken",
        access_key=request.access_key,
        accounts=accounts,
        resources=(target.arn,) if target is not None else (),
        response={"sessionToken": HIDDEN} if request.name == "GetAuthorizationToken" and failed is None else None,
        error=failed.type if failed is not None else "",
        message=str(failed.document.get("message", "")) if failed is not None else "",
    )
