"""The composition root: a Config becomes drivers, services, adapters and one ASGI application.

The only place that sees all four packages.  `build` opens nothing; the application opens its store when the
server starts (ASGI lifespan) and closes it after the last request.
"""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

import protocols
from registry.config import Config, ConfigError
from registry.control.dispatch import ControlPlane
from registry.control.iam.call import Tools
from registry.control.iamplane import IamPlane
from registry.control.model import load as load_model
from registry.core.arns import Arns
from registry.core.authorize import require
from registry.core.clock import SystemClock
from registry.core.errors import RegistryError, Unavailable, UpstreamUnavailable
from registry.core.groups.administration import keep_keys
from registry.core.ports import Tx
from registry.core.rates import Rates
from registry.core.services import Services
from registry.drivers import BLOBS, Blobs, Metadata, blobs_of, store_of
from registry.identity.bootstrap import Made, Seed, bootstrap
from registry.identity.oidc import Issuers
from registry.identity.secrets import Secrets, master_key
from registry.identity.sessions import Sessions
from registry.identity.tokens import Tokens
from registry.identity.used import Used
from registry.sinks.build import sinks_of, trail_of
from registry.sinks.relay import Relay
from registry.sinks.trail import Trail
from registry.web.access import Gate
from registry.web.address import Addresses
from registry.web.audit import AuditTrail
from registry.web.dataplane import DataPlane
from registry.web.front import Front, Rooms
from registry.web.log import Lines
from registry.web.metrics import Metrics
from registry.web.openfiles import Handover, OpenFiles
from registry.web.reaper import Limits
from registry.web.rendered import Indexes
from storage.sweep import sweep
from upstreams.client import Client
from upstreams.connections import Connection, catalog
from upstreams.resolver import UpstreamResolver

log = logging.getLogger(__name__)

CREDENTIALS = "credentials"
SWEEP_EVERY = 3600
"""Seconds."""


class Application:
    """The ASGI application of one process.  `front` and `services` exist while it is open."""

    front: Front
    services: Services
    made: list[Made]

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str] | None = None,
        *,
        lines: Lines | None = None,
        prepare: Callable[[Services, str], Awaitable[None]] | None = None,
    ) -> None:
        """`prepare` runs once everything is open, before the first request.  Raises ConfigError."""
        self.config = config
        self.failure: Exception | None = None
        self._prepare = prepare
        self._environ = os.environ if environ is None else environ
        self._lines = lines
        server = config.server
        self.limits = Limits(
            header_bytes=server.header_bytes,
            header_timeout=server.header_timeout,
            body_timeout=server.body_timeout,
            write_timeout=server.write_timeout,
            idle_timeout=server.idle_timeout,
            # NuGet and Ivy send the whole of a file before they learn that they need credentials, then send it again.
            discard_bytes=config.quotas.asset_bytes + Limits().discard_bytes,
        )
        try:
            self._addresses = Addresses(server.base_url, server.trusted_proxies)
        except ValueError as err:
            raise ConfigError(f"server.trusted_proxies: {err}") from err
        self._embedded = not config.storage.database
        self._sinks = sinks_of(config, self._environ)
        self._adapters = protocols.FORMATS
        formats = [each.info.name for each in self._adapters]
        self._connections = catalog(config.connections, formats, self._environ)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self.front(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self.running())
            except Exception as err:
                log.exception("The server cannot start")
                self.failure = err
                await send({"type": "lifespan.startup.failed", "message": str(err)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Application]:
        """Everything open: the store, the resolver, the first accounts, the front door."""
        config = self.config
        async with AsyncExitStack() as stack:
            lines = self._lines
            if lines is None:
                lines = Lines()
                stack.callback(lines.close)
            data = config.data
            await asyncio.to_thread(data.mkdir, mode=0o700, parents=True, exist_ok=True)
            for service in ("codeartifact", "iam", "sts"):
                await asyncio.to_thread(load_model, service)
            secrets = Secrets(await asyncio.to_thread(master_key, data / "keys", self._environ))
            store = store_of(config)
            await store.open()
            stack.push_async_callback(store.close)
            blobs = blobs_of(config)
            await blobs.open()
            stack.push_async_callback(blobs.close)
            files = OpenFiles(_handover(config))
            stack.callback(files.close)
            resolver = UpstreamResolver(
                connections=self._connections,
                fetchers={each.info.name: each.fetcher for each in self._adapters if each.fetcher is not None},
                settings=config.upstreams,
            )
            clock = SystemClock()
            self.services = Services(
                store=store,
                blobs=blobs.of,
                resolver=resolver,
                clock=clock,
                arns=Arns(config.aws.region, organization=config.aws.organization),
                formats={each.info.name: each.info for each in self._adapters},
                quotas=config.quotas,
                rates=Rates(config.quotas) if config.quotas.rates else None,
                connections=resolver.formats,
                page_key=secrets.derive("pages"),
            )
            resolver.attach(self.services)
            await keep_keys(store)
            await stack.enter_async_context(resolver)
            self.made = await bootstrap(
                store,
                secrets,
                accounts=_seeds(config, self._environ),
                directory=data,
                region=config.aws.region,
                now=clock.now(),
            )
            if self._prepare is not None:
                await self._prepare(self.services, config.aws.account)
            trail = trail_of(config)
            if trail is not None:
                stack.push_async_callback(asyncio.to_thread, trail.close)
            issuers = Issuers(partial(_document, await stack.enter_async_context(Client(config.upstreams))), clock)
            self.front = self._front(secrets, files, lines, blobs, trail, issuers)
            relay = Relay(store, clock, self.services.arns, self._sinks, keep_days=config.events.keep_days)
            stack.push_async_callback(relay.close)
            behind = [
                asyncio.create_task(_sweeping(store, blobs, clock), name="sweep"),
                asyncio.create_task(relay.run(), name="relay"),
            ]
            try:
                yield self
            finally:
                for task in behind:
                    task.cancel()
                await asyncio.wait(behind)

    def _front(
        self,
        secrets: Secrets,
        files: OpenFiles,
        lines: Lines,
        blobs: Blobs,
        trail: Trail | None,
        issuers: Issuers,
    ) -> Front:
        services = self.services
        tokens = Tokens(secrets.derive("tokens"))
        sessions, used = Sessions(secrets), Used(services.store, services.clock)
        gate = Gate(services, tokens, anonymous=self.config.server.anonymous_read)
        rooms = Rooms(
            data=DataPlane(services, self._adapters, gate, self._addresses, self.config.server.domain_suffix),
            control=ControlPlane(
                services, secrets=secrets, tokens=tokens, base=self._addresses.base, sessions=sessions, used=used
            ),
            iam=IamPlane(Tools(services, secrets, sessions, tokens, issuers), used=used),
            ready=_Ready(services, self.config.data, blobs),
            may_measure=_Measuring(services, gate, self.config.metrics.public),
        )
        return Front(
            rooms,
            epoch=services.store.epoch,
            moments=None if self._embedded else services.store,
            addresses=self._addresses,
            indexes=Indexes(self.config.server.index_cache_bytes),
            files=files,
            lines=lines,
            metrics=Metrics(),
            trail=None if trail is None else AuditTrail(self.config.aws.region, trail.add),
        )


def _handover(config: Config) -> Handover | None:
    location = config.server.accel_redirect
    return Handover(config.data / BLOBS, location) if location else None


def build(config: Config, environ: Mapping[str, str] | None = None) -> Application:
    """The application.  Raises ConfigError for settings that cannot work together."""
    return Application(config, environ)


async def _sweeping(store: Metadata, blobs: Blobs, clock: SystemClock) -> None:
    """Once an hour, in one of the processes that share a database."""
    me = uuid.uuid4().hex

    async def mine(tx: Tx) -> bool:
        now = clock.now()
        return await tx.stream.lease("sweep", me, now, now + 1500 * SWEEP_EVERY)

    while True:
        await asyncio.sleep(SWEEP_EVERY)
        try:
            if await store.write(mine):
                report = await sweep(store, blobs, clock)
                log.info("Swept: %s", report)
        except RegistryError:
            log.exception("The sweep failed; it is tried again in an hour")


class _Ready:
    """The database answers, the data directory takes a file and the blob store is there."""

    def __init__(self, services: Services, data: Path, blobs: Blobs) -> None:
        self._services = services
        self._data = data
        self._blobs = blobs

    async def __call__(self) -> None:
        """Raises Unavailable."""

        async def work(tx: Tx) -> None:
            await tx.identity.revision()

        try:
            async with asyncio.timeout(5):
                await self._services.store.read(work)
                await asyncio.to_thread(self._touch)
                await self._blobs.ready()
        except (OSError, TimeoutError) as err:
            raise Unavailable(f"The storage does not answer: {type(err).__name__}") from err

    def _touch(self) -> None:
        probe = self._data / f".ready-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()


class _Measuring:
    """Who may read /metrics: anybody if so set, else a token's holder with the right `packyard:ReadMetrics`."""

    def __init__(self, services: Services, gate: Gate, public: bool) -> None:
        self._services = services
        self._gate = gate
        self._public = public

    async def __call__(self, scope: Scope) -> None:
        """Raises Unauthenticated, AccessDenied."""
        if self._public:
            return
        claims = self._gate.claims(Headers(scope=scope))
        caller = await self._gate.caller(claims)

        async def work(tx: Tx) -> None:
            await require(
                tx,
                arns=self._services.arns,
                caller=replace(caller, token_domain=None),  # measuring belongs to no domain
                action="packyard:ReadMetrics",
                resource=f"arn:aws:packyard:{self._services.arns.region}:{caller.account}:metrics",
            )

        await self._services.store.glance(work)


async def _document(client: Client, issuer: str, url: str) -> bytes:
    """A document of an identity provider.  Raises UpstreamUnavailable."""
    registry = client.to(Connection("identity provider", "", f"{issuer.rstrip('/')}/"))
    async with registry.get(url, {"Accept": "application/json"}) as reply:
        if reply.status != 200:
            raise UpstreamUnavailable(f"It answered {reply.status}")
        return await reply.body(1024 * 1024)


def _seeds(config: Config, environ: Mapping[str, str]) -> list[Seed]:
    first = Seed(
        config.aws.account,
        environ.get("PACKYARD_ADMIN_ACCESS_KEY_ID", ""),
        environ.get("PACKYARD_ADMIN_SECRET_ACCESS_KEY", ""),
    )
    return [first, *(Seed(each.id, each.access_key_id, each.secret_access_key) for each in config.accounts)]
