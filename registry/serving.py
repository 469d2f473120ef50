"""`packyard serve`: one process, or several that share a port, until a signal.

With several, the first process prepares the data directory, binds the port, and forks; the others accept from the
same socket.  State lives in the database and the files, so nothing else is shared.  A process that dies is replaced.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

import uvloop

from registry import quickstart
from registry.app import CREDENTIALS, Application
from registry.config import Config, ConfigError
from registry.web.log import Lines, RecordHandler
from registry.web.server import Server


def serve(config: Config, *, quick: bool) -> int:
    """Run until SIGTERM or SIGINT, then drain.  Returns the exit status."""
    _more_files()
    listener = _bind(config.server.host, config.server.port)
    if config.server.workers == 1:
        return _run(config, listener, lambda app, address: _tell(app, address, quick), quick=quick)
    return _Crew(config, listener, quick).run()


def _run(config: Config, listener: socket.socket, ready: Callable[[Application, str], None], *, quick: bool) -> int:
    lines = Lines()
    handler = RecordHandler(lines)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    try:
        app = Application(config, lines=lines, prepare=quickstart.prepare if quick else None)
        server = Server(app, config.server, app.limits, lambda address: ready(app, address))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(server.serve(sockets=[listener]))
            except SystemExit:
                raise StartupFailed(app.failure) from app.failure
        return 0
    finally:
        lines.close()


class StartupFailed(OSError):
    """The application could not start; its log says more."""

    def __init__(self, failure: BaseException | None) -> None:
        super().__init__(f"The server cannot start: {failure}")


def _tell(app: Application, address: str, quick: bool) -> None:
    config = app.config
    shown = config.server.base_url.rstrip("/") or address
    print(f"Packyard listens on {shown}", flush=True)
    if quick:
        credentials = (config.data / CREDENTIALS).resolve()
        formats = list(app.services.formats)
        text = quickstart.directions(shown, credentials, config.aws.account, config.aws.region, formats)
        print(text, flush=True)


def _bind(host: str, port: int) -> socket.socket:
    """Raises OSError with the address in it."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )[0]
    except socket.gaierror as err:
        raise ConfigError(f"server.host {host!r} is no address of this machine") from err
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as err:
        listener.close()
        raise OSError(err.errno, f"Cannot listen on {host}:{port}: {err.strerror}") from err
    return listener


def _more_files() -> None:
    """Connections and stored files need descriptors: as many as the system lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Crew:
    """Processes that share a listening socket."""

    def __init__(self, config: Config, listener: socket.socket, quick: bool) -> None:
        self._config = config
        self._listener = listener
        self._quick = quick
        self._running: dict[int, bool] = {}
        self._ending = False
        self._alive = os.pipe()  # nobody writes; the reading end tells when the last writing one is closed

    def run(self) -> int:
        before = {each: signal.signal(each, self._end) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._start(first=True)
            for _ in range(self._config.server.workers - 1):
                if not self._ending:
                    self._start(first=False)
            return self._watch()
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _start(self, *, first: bool) -> None:
        """Fork one, and wait until it answers: the first one prepares the data directory for all."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            os.close(self._alive[1])
            os.setpgrp()  # a Ctrl-C is for the first process, which passes it on once
            threading.Thread(target=self._orphaned, name="orphaned", daemon=True).start()
            os._exit(self._child(writer, first))
        os.close(writer)
        self._running[child] = False
        with os.fdopen(reader, "rb") as told:
            self._running[child] = bool(told.read())

    def _child(self, writer: int, first: bool) -> int:
        def ready(app: Application, address: str) -> None:
            os.write(writer, b"ready")
            os.close(writer)
            if first:
                _tell(app, address, self._quick)

        try:
            return _run(self._config, self._listener, ready, quick=self._quick and first)
        except (OSError, ConfigError) as err:
            print(f"packyard: {err}", file=sys.stderr, flush=True)
            return 1

    def _orphaned(self) -> None:
        """End with the first process, however that ends."""
        os.read(self._alive[0], 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _watch(self) -> int:
        """Until all have ended.  One that dies is replaced, unless it never came to answer."""
        status = 0
        while self._running:
            child, code = os.waitpid(-1, 0)
            answered = self._running.pop(child, None)
            if answered is None or self._ending:
                continue
            if not answered:
                status = os.waitstatus_to_exitcode(code) or 1
                self._end(signal.SIGTERM, None)
            else:
                self._start(first=False)
        return status

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ending = True
        for child in list(self._running):
            os.kill(child, signal.SIGTERM)
