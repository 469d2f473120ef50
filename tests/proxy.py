"""A road to a server that can be cut: a TCP proxy on a free port, in a thread of its own.

with Proxy("127.0.0.1", port) as proxy:
    connect to 127.0.0.1:proxy.port
    proxy.silent = True                     # nothing goes through in either direction any more
    proxy.lose_answer_to(b"commit\\0")      # the next message that ends so is delivered, and its answer is not
    proxy.cut()                             # every connection ends; new ones go through
"""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards what arrives, both ways."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.silent = False
        self.lost = threading.Event()
        self._losing: bytes | None = None
        self._open: list[socket.socket] = []
        self._also_cut = False
        self._deaf: socket.socket | None = None
        self._told = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.cut()
        for each in self._threads:
            each.join(10)

    def cut(self) -> None:
        self.silent = False
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def lose_answer_to(self, ending: bytes, *, cut_all: bool = False) -> None:
        """Deliver the next message that ends so, and end its connection (or all) before the answer comes back."""
        self.lost.clear()
        self._losing, self._also_cut = ending, cut_all

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            self._open += [near, far]
            thread = threading.Thread(target=self._serve, args=(near, far), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, near: socket.socket, far: socket.socket) -> None:
        back = threading.Thread(target=self._back, args=(far, near), daemon=True)
        back.start()
        self._forward(near, far)
        back.join()
        near.close()
        far.close()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := near.recv(65536):
                if self.silent:
                    continue
                if self._losing is not None and data.endswith(self._losing):
                    self._losing = None
                    self._deaf = near
                    far.sendall(data)
                    far.shutdown(socket.SHUT_WR)  # the server does it, and then finds nobody to tell
                    self._told.wait(5)
                    if self._also_cut:
                        self.cut()
                    self.lost.set()
                    break
                far.sendall(data)
        for each in (near, far):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _back(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(65536):
                if not self.silent and self._deaf is not near:
                    near.sendall(data)
        if self._deaf is near:
            self._told.set()
            return
        with contextlib.suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)
