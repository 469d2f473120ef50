"""The entry of IAM and STS: requests to `POST /` (and signed `GET /?Action=...`), told apart by the signing name.

    claim -> caller -> body -> signature -> action -> parse -> validate -> call -> XML

Every operation asks for its own right, inside the unit of work that acts.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from registry.control import model, query, validate
from registry.control.iam import call as iam
from registry.control.iam.call import TABLE, UNSIGNED, Call, IamError, Service, Tools
from registry.core.errors import (
    AccessDenied,
    Conflict,
    RegistryError,
    Throttling,
    Unauthenticated,
    Unavailable,
    UpstreamUnavailable,
    Validation,
)
from registry.core.types import Caller
from registry.identity import callers, sigv4
from registry.identity.used import Used
from registry.web.audit import Subject
from registry.web.exchange import KEY as EXCHANGE
from registry.web.exchange import Exchange
from registry.web.wire import send_whole

BODY_LIMIT = 1024 * 1024
_INTERNAL = "An internal error occurred. The request can be sent again."

# What the query protocol calls the failures of a signature.
_SIGNATURES = {
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "ExpiredTokenException": ("ExpiredToken", 403),
}
_OTHERS = {
    "ValidationError": 400,
    "InvalidAction": 400,
    "AccessDenied": 403,
    "NotSupportedService": 404,
}

log = logging.getLogger(__name__)

iam.load()


@dataclass(slots=True)
class _Request:
    id: str
    scope: Scope
    receive: Receive
    service: Service = "sts"
    action: str = "-"
    caller: Caller | None = None
    access_key: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] | None = None
    message: str = ""


class IamPlane:
    """ASGI application for `/`."""

    def __init__(self, tools: Tools, *, used: Used | None = None) -> None:
        self._tools = tools
        self._used = used
        self._models = {"iam": model.load("iam"), "sts": model.load("sts")}
        self._statuses = {
            each.code: each.status for known in self._models.values() for each in known.errors.values()
        } | _OTHERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange | None = scope.get(EXCHANGE)
        request = _Request(exchange.id if exchange is not None else str(uuid.uuid4()), scope, receive)
        code = ""
        try:
            status, body = 200, await self._called(request)
        except ClientDisconnect:
            return
        except RegistryError as err:
            status, code, request.message = self._refusal(err)
            body = self._error(request, status, code, request.message)
        except Exception:
            log.exception("Unexpected failure of %s, request %s", request.action, request.id)
            status, code = 500, "ServiceFailure"
            body = self._error(request, status, code, _INTERNAL)
        if exchange is not None:
            _note(exchange, request, code)
        headers = [(b"x-amzn-requestid", request.id.encode("ascii"))]
        await send_whole(send, status, body, "text/xml", headers=headers)

    async def _called(self, request: _Request) -> bytes:
        scope, tools = request.scope, self._tools
        now = tools.services.clock.now()
        signed = sigv4.attempted(request.scope["headers"], scope["query_string"])
        claim = None
        if signed:
            claim = sigv4.parse(
                scope["method"], scope["raw_path"], scope["query_string"], scope["headers"],
                services=("iam", "sts"), now=now,
            )  # fmt: skip
            request.service = "iam" if claim.service == "iam" else "sts"
            caller, secret = await tools.services.store.glance(
                lambda tx: callers.by_key(
                    tx,
                    tools.secrets,
                    claim.access_key_id,
                    sessions=tools.sessions,
                    session_token=claim.session_token,
                    now=now,
                )
            )
        body = await _read(request)
        given = query.fields(scope["query_string"]) | query.fields(body)
        request.action = given.get("Action", "")[:128]
        if claim is not None:
            sigv4.check(claim, secret, body_sha256=hashlib.sha256(body).hexdigest())
            request.caller, request.access_key = caller, claim.access_key_id
            if self._used is not None:
                await self._used.note(claim)
        elif (request.service, request.action) not in UNSIGNED:
            raise sigv4.SignatureError("MissingAuthenticationTokenException", "Request is missing Authentication Token")
        return await self._answer(request, given, now, claim.region if claim is not None else "")

    async def _answer(self, request: _Request, given: Mapping[str, str], now: int, region: str) -> bytes:
        known = self._models[request.service]
        operation = known.operations.get(request.action)
        function = TABLE.get((request.service, request.action))
        if operation is None or function is None:
            raise IamError("InvalidAction", f"Could not find operation {request.action} for version {known.version}")
        if given.get("Version", known.version) != known.version:
            raise IamError("InvalidAction", f"Could not find operation {request.action} for that version")
        _may(request)
        params = request.params = query.parse(operation, given)
        validate.check(operation.input, params)
        asked = Call(
            self._tools, request.service, request.action, params, request.caller, context_of(request.scope), region, now
        )
        answer = request.answer = await function(asked, params)
        return query.serialize(operation, answer, namespace=known.namespace, request_id=request.id)

    def _refusal(self, err: RegistryError) -> tuple[int, str, str]:
        if isinstance(err, sigv4.SignatureError):
            code, status = _SIGNATURES.get(err.code, (err.code, err.status))
            return status, code, err.message
        code = "ServiceFailure"
        if isinstance(err, IamError):
            code = err.code
        elif isinstance(err, AccessDenied):
            code = "AccessDenied"
        elif isinstance(err, Validation):
            code = "ValidationError"
        elif isinstance(err, Conflict):
            code = "EntityAlreadyExists"
        elif isinstance(err, Unauthenticated):
            code = "AccessDenied"
        elif isinstance(err, Throttling):
            return 400, "Throttling", err.message
        elif isinstance(err, Unavailable | UpstreamUnavailable):
            return 503, "ServiceUnavailable", err.message
        status = self._statuses.get(code, 500)
        return status, code, err.message if status != 500 else _INTERNAL

    def _error(self, request: _Request, status: int, code: str, message: str) -> bytes:
        namespace = self._models[request.service].namespace
        return query.error(code, message, status=status, namespace=namespace, request_id=request.id)


def _may(request: _Request) -> None:
    """STS API reference, GetSessionToken: without MFA such credentials call nothing of IAM, and of STS only these."""
    caller = request.caller
    if caller is None or caller.kind != "User" or not caller.session_id:
        return
    if request.service == "iam" or request.action not in ("AssumeRole", "GetCallerIdentity"):
        raise sigv4.SignatureError(
            "UnrecognizedClientException", "The security token included in the request is invalid"
        )


def context_of(scope: Scope) -> dict[str, str]:
    """Condition keys of a request (IAM User Guide, "AWS global condition context keys")."""
    context = {"aws:SecureTransport": "true" if scope.get("scheme") == "https" else "false"}
    if scope.get("client"):
        context["aws:SourceIp"] = scope["client"][0]
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), None)
    if agent is not None:
        context["aws:UserAgent"] = agent.decode("latin-1")
    return context


async def _read(request: _Request) -> bytes:
    whole, more = bytearray(), True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect()
        more = message.get("more_body", False)
        whole += message.get("body", b"")
        if len(whole) > BODY_LIMIT:
            raise Validation(f"The request body is larger than {BODY_LIMIT} bytes")
    return bytes(whole)


def _note(exchange: Exchange, request: _Request, code: str) -> None:
    exchange.plane = "control"
    exchange.route = f"{request.service}:{request.action or '-'}"
    exchange.error = code
    if request.caller is not None:
        exchange.caller = request.caller.arn
    exchange.extra["subject"] = _subject(request, code)


def _subject(request: _Request, code: str) -> Subject:
    """For the audit trail.  Who takes on a role concerns the role's account too."""
    reads = request.action.startswith(("Get", "List", "Simulate")) and request.action != "GetSessionToken"
    role = str(request.params.get("RoleArn", ""))
    owner = role.split(":", 5)[4:5] if request.action.startswith("AssumeRole") else []
    return Subject(
        request.action or "-",
        request.caller,
        request.params,
        reads,
        source=f"{request.service}.amazonaws.com",
        access_key=request.access_key,
        accounts=tuple(owner) if not code else (),
        resources=(role,) if role else (),
        response=None if reads else request.answer,
        error=code,
        message=request.message,
    )
