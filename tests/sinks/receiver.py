"""An address that takes webhooks: real HTTP, with answers to order."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """`answer(event)` gives the status; `got` is what came with 2xx, `seen` whatever came, with its headers."""

    def __init__(self, answer: Callable[[dict[str, Any]], int] = lambda event: 204) -> None:
        self.answer = answer
        self.got: list[dict[str, Any]] = []
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.changed = threading.Condition()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                event = json.loads(body)
                with owner.changed:
                    owner.seen.append(({k.lower(): v for k, v in self.headers.items()}, body))
                    status = owner.answer(event)
                    if 200 <= status < 300:
                        owner.got.append(event)
                    owner.changed.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait(self, enough: Callable[[], bool], seconds: float = 30) -> None:
        """Until something that came makes it true."""
        with self.changed:
            assert self.changed.wait_for(enough, seconds), self.got

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
