"""The HTTP server: uvicorn on uvloop with our protocol, our time limits and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn

from registry.config import ServerConfig
from registry.web.http1 import Http1
from registry.web.reaper import Limits, reap

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Runs one application.  `ready` is called with the address once requests are answered.

    SIGTERM and SIGINT stop accepting, let requests under way end (bounded by `drain_timeout`), then end the
    application's lifespan; a second signal does not wait.  `run` then returns, so that the exit status is ours.
    """

    def __init__(self, app: Any, settings: ServerConfig, limits: Limits, ready: Callable[[str], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                loop="uvloop",
                http=Http1,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                headers=[("server", "packyard")],
                backlog=2048,
                timeout_graceful_shutdown=settings.drain_timeout,
                ssl_certfile=settings.tls_certificate or None,
                ssl_keyfile=settings.tls_key or None,
            )
        )
        self._limits = limits
        self._ready = ready
        self._reaper: asyncio.Task[None] | None = None
        self.address = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.started:
            return
        self._reaper = asyncio.create_task(reap(self.server_state.connections, self._limits), name="reaper")
        bound = self.servers[0].sockets[0].getsockname()
        host = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        self.address = f"{'https' if self.config.ssl else 'http'}://{host}:{bound[1]}"
        self._ready(self.address)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("Draining")
        await super().shutdown(sockets=sockets)
        if self._reaper is not None:
            self._reaper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reaper

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True
