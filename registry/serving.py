"""`packyard serve`: one process, or several that share a port, until a signal.

With several, a first process binds the port and forks the others; the first of those prepares the database and the
data directory for all.  State lives there, so nothing else is shared.  A process that dies is replaced.
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
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

import uvloop

from registry import quickstart
from registry.app import CREDENTIALS, Application
from registry.config import Config, ConfigError
from registry.web.log import Lines, RecordHandler
from registry.web.server import Server

_ENDS = (signal.SIGINT, signal.SIGTERM)
_SHORT = 10.0
"""Seconds: a process that lived no longer has not recovered what killed the one before."""
_LONGEST_PAUSE = 15.0
_GRACE = 15
"""Seconds beyond `server.drain_timeout` after which a process is killed."""


def serve(config: Config, *, quick: bool) -> int:
    """Run until SIGTERM or SIGINT, then drain.  Returns the exit status."""
    _more_files()
    # Who shares a port hears of no other that has it, so a socket of the plain kind looks first.
    several, port = config.server.workers > 1, config.server.port
    listener = _bind(config.server.host, port, shared=several and not port)
    if not several:
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


def _bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket.  Raises OSError with the address in it.

    `shared`: others of ours may have the address too, and it does not listen before its server does: until then
    nobody is led to it.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )[0]
    except socket.gaierror as err:
        raise ConfigError(f"server.host {host!r} is no address of this machine") from err
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        if not shared:
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


@dataclass(slots=True)
class _Child:
    """A process of the crew: its place, since when it runs, and whether it ever came to answer."""

    place: int
    since: float
    answered: bool = False


class _Crew:
    """Processes that share a port.

    Each has a listening socket of its own, among which the kernel divides new connections: on one socket for all, the
    process that is awake takes most of them.  The first process holds the sockets too, so that what waits on that of a
    process which has died is not lost, unless the one that takes its place cannot begin.
    """

    def __init__(self, config: Config, listener: socket.socket, quick: bool) -> None:
        """`listener` has shown that nobody else has the port; it is kept where the port is a free one."""
        self._config = config
        self._quick = quick
        self._host = config.server.host
        self._port: int = listener.getsockname()[1]
        self._listeners = {0: listener}
        if config.server.port:
            self._close()
        self._running: dict[int, _Child] = {}
        self._failures = 0
        self._ending = False
        self._alive = os.pipe()  # nobody writes; the reading end tells when the last writing one is closed

    def run(self) -> int:
        before = {each: signal.signal(each, self._end) for each in _ENDS}
        try:
            for place in range(self._config.server.workers):
                self._listen(place)
            for place in range(self._config.server.workers):
                if self._ending or not self._start(place, first=place == 0):
                    break
            return self._watch()
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
            signal.alarm(0)
            self._close()

    def _listen(self, place: int) -> None:
        if place not in self._listeners:
            self._listeners[place] = _bind(self._host, self._port, shared=True)

    def _start(self, place: int, *, first: bool = False) -> bool:
        """Fork one and wait until it answers, or ends: the first one prepares the data directory for all."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)  # the child must not act for us
        if self._ending:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
            return False
        self._listen(place)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            for each in _ENDS:
                signal.signal(each, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
            os.close(reader)
            os.close(self._alive[1])
            os.setpgrp()  # a Ctrl-C is for the first process, which passes it on once
            threading.Thread(target=self._orphaned, name="orphaned", daemon=True).start()
            os._exit(self._child(place, writer, first))
        self._running[child] = _Child(place, time.monotonic())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
        os.close(writer)
        with os.fdopen(reader, "rb") as told:
            answered = self._running[child].answered = bool(told.read())
        return answered

    def _child(self, place: int, writer: int, first: bool) -> int:
        mine = self._listeners.pop(place)
        self._close()  # those of the others

        def ready(app: Application, address: str) -> None:
            os.write(writer, b"ready")
            os.close(writer)
            if first:
                _tell(app, address, self._quick)

        try:
            return _run(self._config, mine, ready, quick=self._quick and first)
        except (OSError, ConfigError) as err:
            print(f"packyard: {err}", file=sys.stderr, flush=True)
            return 1

    def _orphaned(self) -> None:
        """End with the first process, however that ends."""
        os.read(self._alive[0], 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _watch(self) -> int:
        """Until all have ended.  One that dies is replaced, but for those that could not even begin."""
        status = 0
        begun = any(child.answered for child in self._running.values())
        while self._running:
            number, code = os.waitpid(-1, 0)
            child = self._running.pop(number, None)
            if child is None or self._ending:
                continue
            if not begun:
                status = os.waitstatus_to_exitcode(code) or 1
                self._end(signal.SIGTERM, None)
            else:
                self._replace(number, child, os.waitstatus_to_exitcode(code))
        return status

    def _replace(self, number: int, child: _Child, code: int) -> None:
        """Sooner the first time than when it dies again and again."""
        if not child.answered:
            self._listeners.pop(child.place).close()  # clients are better off with the others
        how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
        print(f"packyard: process {number} {how}; another takes its place", file=sys.stderr, flush=True)
        lasted = time.monotonic() - child.since
        self._failures = self._failures + 1 if not child.answered or lasted < _SHORT else 0
        until = time.monotonic() + min(_LONGEST_PAUSE, self._failures and 0.25 * 2**self._failures)
        while not self._ending and time.monotonic() < until:
            time.sleep(0.05)
        if not self._ending:
            self._start(child.place)

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Pass the signal on; who has not ended in good time is ended."""
        self._ending = True
        for child in list(self._running):
            os.kill(child, signal.SIGTERM)
        self._close()
        signal.signal(signal.SIGALRM, self._kill)
        signal.alarm(self._config.server.drain_timeout + _GRACE)

    def _kill(self, number: int, frame: FrameType | None) -> None:
        for child in list(self._running):
            os.kill(child, signal.SIGKILL)

    def _close(self) -> None:
        while self._listeners:
            self._listeners.popitem()[1].close()
