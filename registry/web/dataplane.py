"""The data plane: from an address to an adapter's handler, and from any failure to the format's own error."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import unquote

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from registry.core.absent import AbsentView
from registry.core.errors import (
    AccessDenied,
    InternalServer,
    NotSupported,
    RegistryError,
    ResourceNotFound,
    Throttling,
    Unauthenticated,
)
from registry.core.services import Services
from registry.core.types import RepoKey
from registry.core.view import Noted, RepoView
from registry.web import exchange
from registry.web.access import Access, Gate, repo_key
from registry.web.adapter import Adapter, Answer
from registry.web.address import Addresses
from registry.web.audit import Subject
from registry.web.exchange import Exchange, Hold
from registry.web.hot import Entry
from registry.web.paths import masked
from registry.web.request import Req
from registry.web.routes import RouteTable
from registry.web.wire import Aborted

log = logging.getLogger(__name__)

_READS = frozenset({"GET", "HEAD"})

# Names have at most 100 characters, each of which may be spelled in three; longer ones would only fill memories.
_PLACE = re.compile(r"/([^/]+)/d/([^/]{1,300})-([0-9]{12})/([^/]{1,300})(?:/(.*))?", re.DOTALL)
_PLACE_BELOW_HOST = re.compile(r"/([^/]+)/([^/]{1,300})(?:/(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """Which repository an address means; `root` is the endpoint's path, `rest` the raw path below it."""

    format: str
    domain: str
    owner: str
    repository: str
    root: str
    rest: str


@dataclass(frozen=True, slots=True)
class _Format:
    adapter: Adapter
    routes: RouteTable


class DataPlane:
    """Every format's adapter behind one address scheme."""

    def __init__(
        self, services: Services, adapters: Iterable[Adapter], gate: Gate, addresses: Addresses, suffix: str = ""
    ) -> None:
        """`suffix`: hosts `{domain}-{owner}.d.codeartifact.{region}.{suffix}` name a domain too."""
        self._services = services
        host = rf"([a-z0-9_-]+)-([0-9]{{12}})\.d\.codeartifact\.[a-z0-9-]+\.{re.escape(suffix)}(?::[0-9]+)?"
        self._host = re.compile(host) if suffix else None
        self._gate = gate
        self._addresses = addresses
        self._formats = {each.info.name: _Format(each, RouteTable(each.routes)) for each in adapters}

    def place(self, scope: Scope, path: str) -> Place | None:
        """The repository that an address means, or None where the data plane has none."""
        if self._host is not None:
            host = self._host.fullmatch(self._addresses.host(scope).lower())
            below = _PLACE_BELOW_HOST.fullmatch(path) if host is not None else None
            if host is not None and below is not None and below[1] in self._formats:
                root = f"/{below[1]}/{below[2]}/"
                return Place(below[1], host[1], host[2], unquote(below[2]), root, below[3] or "")
        found = _PLACE.fullmatch(path) if "/d/" in path else None
        if found is None or found[1] not in self._formats:
            return None
        root = f"/{found[1]}/d/{found[2]}-{found[3]}/{found[4]}/"
        return Place(found[1], unquote(found[2]), found[3], unquote(found[4]), root, found[5] or "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send, place: Place) -> None:
        """Answer."""
        trip = exchange.of(scope)
        trip.plane = place.format
        trip.resource = f"{place.domain}/{place.repository}"
        base = self._addresses.base(scope) + place.root
        req = Req(Request(scope, receive), scope["method"], {}, place.rest, base, None, trip.id)
        visit = _Visit(self._services, self._gate, self._formats[place.format], req, trip)
        await visit.answer(scope, receive, send, place.domain, place.owner, place.repository)

    def entry(self, trip: Exchange) -> Entry | None:
        """The hot cache's entry for an answer that was just given, if it may be given again."""
        visit = trip.extra.get("visit")
        if trip.hold is None or trip.epoch is None or not isinstance(visit, _Visit) or visit.access is None:
            return None
        return visit.entry(trip.hold, trip.epoch)

    def subject(self, trip: Exchange) -> Subject:
        """What the request was about, for the audit trail."""
        visit = trip.extra.get("visit")
        if isinstance(visit, _Visit):
            return visit.subject()
        return Subject(trip.route or "-", None, {}, read_only=trip.method in _READS)


class _Visit:
    """One request to one repository."""

    def __init__(self, services: Services, gate: Gate, format: _Format, req: Req, trip: Exchange) -> None:
        self._services = services
        self._gate = gate
        self._adapter = format.adapter
        self._routes = format.routes
        self._req = req
        self._trip = trip
        self.access: Access | None = None
        self._key: RepoKey | None = None
        self._view: RepoView | None = None
        self._refusal: RegistryError | None = None

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, domain: str, owner: str, repository: str
    ) -> None:
        trip = self._trip
        trip.extra["visit"] = self
        failure: RegistryError
        try:
            reply = await self._handled(repo_key(domain, owner, repository), scope)
            await reply(scope, receive, send)
            return
        except (ClientDisconnect, Aborted):
            raise
        except AccessDenied as err:
            # Who has not said who he is may do what is refused once he has: ask for credentials (RULINGS 5.4).
            nobody = self.access is not None and self.access.caller.anonymous
            failure = Unauthenticated("This needs an authorization token") if nobody else err
        except RegistryError as err:
            failure = err
            if isinstance(err, Unauthenticated):
                failure = self._refused(err, scope)
        except Exception:
            log.exception("Unexpected failure of request %s", trip.id)
            failure = InternalServer(f"Internal failure; request {trip.id}")
        trip.error = type(failure).__name__
        self._refusal = failure
        trip.hold = None
        if trip.status:
            raise Aborted from failure
        await self._error(failure)(scope, receive, send)

    async def _handled(self, key: RepoKey, scope: Scope) -> Answer:
        self._key = key
        segments = self._adapter.fold(self._req.rest.split("/"))
        match = self._routes.match(self._req.method, segments)
        headers: Mapping[str, str] = self._req.headers
        if not isinstance(match, tuple) and match.route.credentials is not None:
            headers = {"authorization": f"Bearer {await match.route.credentials(self._req)}"}
        claims = self._gate.claims(headers)
        context = context_of(scope)
        access = self.access = await self._gate.enter(claims, key, context)
        weight = None if isinstance(match, tuple) else match.route.weight
        self._count(access, 1 if weight is None else weight(self._req))
        self._trip.caller = access.caller.arn
        if isinstance(match, tuple):
            return self._no_route(match)
        self._trip.route = f"{self._req.method} {match.route.template}"
        self._req = replace(self._req, path=match.path, caller=access.caller)
        kind = AbsentView if access.absent else RepoView
        view = kind(self._services, access.caller, access.repository, self._adapter.info, context)
        self._view = view
        return await match.route.handler(self._req, view)

    def _count(self, access: Access, count: int = 1) -> None:
        """Guide, "Quotas": request rates by token and by account.  Raises Throttling."""
        rates = self._services.rates
        if rates is None:
            return
        client = self._req.request.client
        if not access.caller.anonymous:
            rates.token(access.claims.id, count)
            rates.account(access.caller.account, reads=self._trip.method in _READS, count=count)
        elif client is not None:
            rates.address(client.host)

    def _refused(self, err: Unauthenticated, scope: Scope) -> RegistryError:
        """The same, by address where there is no good token."""
        rates = self._services.rates
        client = scope.get("client")
        try:
            if rates is not None and client:
                rates.address(client[0])
        except Throttling as limit:
            return limit
        return err

    def _no_route(self, allowed: tuple[str, ...]) -> Response:
        if not allowed:
            return self._adapter.error(
                ResourceNotFound(f"There is nothing at '{masked(self._req.rest)[:200]}'"), self._req
            )
        names = ", ".join(allowed)
        reply = self._adapter.error(NotSupported(f"{self._req.method} is not allowed here, only {names}"), self._req)
        reply.status_code = 405
        reply.headers["allow"] = names
        return reply

    def _error(self, err: RegistryError) -> Response:
        reply = self._adapter.error(err, self._req)
        if isinstance(err, Unauthenticated):
            for name, value in self._adapter.challenge(self._req).items():
                reply.headers.append(name, value)
        return reply

    def subject(self) -> Subject:
        """As the guide's example of an npm package has it."""
        reads = self._trip.method in _READS
        noted = self._view.noted if self._view is not None else Noted()
        package = noted.package
        parameters: dict[str, object] = {"packageFormat": self._adapter.info.name}
        accounts: tuple[str, ...] = ()
        if self._key is not None:
            domain = self._key.domain
            parameters |= {"domainName": domain.name, "domainOwner": domain.owner, "repositoryName": self._key.name}
        if package is not None:
            parameters |= {"packageName": package.name}
            parameters |= {"packageNamespace": package.namespace} if package.namespace is not None else {}
        if noted.version is not None:
            parameters["packageVersion"] = noted.version
        access = self.access
        if access is not None:
            accounts = (access.repository.administrator, access.domain.key.owner)
        return Subject(
            noted.action or ("ReadFromRepository" if reads else "PublishPackageVersion"),
            access.caller if access is not None else None,
            parameters,
            read_only=noted.action in ("", "ReadFromRepository") and reads,
            accounts=accounts,
            resources=(self._services.arns.repository(self._key),) if self._key is not None else (),
            error=_shape(self._refusal) if self._refusal is not None else self._trip.error,
            message=self._refusal.message if self._refusal is not None else "",
            client=True,
        )

    def entry(self, hold: Hold, epoch: int) -> Entry | None:
        access, trip = self.access, self._trip
        if access is None:
            return None
        now = self._services.clock.now()
        until = access.claims.expires
        if hold.stamp is not None and hold.stamp.expires is not None:
            until = min(until, hold.stamp.expires)
        line = {
            "caller": trip.caller,
            "action": trip.route,
            "resource": trip.resource,
            "method": trip.method,
            "source": trip.source,
        }
        return Entry(
            hold,
            epoch=epoch,
            expires=time.monotonic() + (until - now) / 1000,
            log=msgspec.json.encode(line)[1:-1],
            plane=trip.plane,
            current=partial(_current, self._services, self._gate, access, hold) if hold.view is not None else None,
            meter=partial(self._count, access) if self._services.rates is not None else None,
        )


def _shape(err: RegistryError) -> str:
    """The error's own name or, of a kind that only one part of the program knows, its parent's."""
    return next(kind.__name__ for kind in type(err).__mro__ if kind.__module__ == RegistryError.__module__)


async def _current(services: Services, gate: Gate, access: Access, hold: Hold) -> int | None:
    """Does a kept index still hold for its caller?  The epoch for which it does, or None."""
    if hold.view is None or hold.package is None or hold.stamp is None:
        return None
    epoch = services.store.epoch()
    now = await gate.enter(access.claims, access.repository.key, hold.view.context)
    if now.caller != access.caller or now.repository != access.repository:
        return None
    stamp = await hold.view.stamp(hold.package)
    same = stamp.value == hold.stamp.value and stamp.stale == hold.stamp.stale
    return epoch if same else None


def context_of(scope: Scope) -> dict[str, str]:
    """Condition keys of a request (IAM User Guide, "AWS global condition context keys")."""
    context = {"aws:SecureTransport": "true" if scope["scheme"] == "https" else "false"}
    if scope.get("client"):
        context["aws:SourceIp"] = scope["client"][0]
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), None)
    if agent is not None:
        context["aws:UserAgent"] = agent.decode("latin-1")
    return context
