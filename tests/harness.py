"""A real server for tests: the whole application under uvicorn, in a thread, on a free loopback port.

    with Server(tmp_path) as server:
        server.boto("codeartifact").create_domain(domain="dom")
        server.endpoint("npm", "repo"), server.token("dom")

Nothing of it is simulated: signatures, tokens, SQLite and files are those that users get.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import io
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvloop

from registry.app import Application
from registry.config import Config, ConnectionConfig, parse
from registry.web.log import Lines
from registry.web.server import Server as HTTPServer
from tests import engines

ACCOUNT = "111122223333"
REGION = "us-west-2"
ACCESS_KEY = "AKIAHARNESS000000001"
SECRET_KEY = "harness/secret/key/of/forty/characters+00"


_making = threading.Lock()


@cache
def _session() -> Any:
    """Reading the service's model takes longer than most tests; one session keeps it."""
    import boto3

    return boto3.session.Session()


@dataclass(frozen=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """The application with a fresh (or given) data directory.  Account 111122223333, administrator's keys known."""

    access_key = ACCESS_KEY
    secret_key = SECRET_KEY
    account = ACCOUNT
    region = REGION

    def __init__(
        self,
        data: Path,
        *,
        settings: Mapping[str, Any] | None = None,
        connections: Mapping[str, str | ConnectionConfig] | None = None,
        environ: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        """`settings` is a settings document (as packyard.toml), `connections` are external connections by name."""
        config = parse(engines.chosen(data, settings or {}), {})
        self.config: Config = replace(
            config,
            server=replace(config.server, port=port),
            storage=replace(config.storage, data=str(data)),
            connections={
                **config.connections,
                **{
                    name: each if isinstance(each, ConnectionConfig) else ConnectionConfig(each)
                    for name, each in (connections or {}).items()
                },
            },
        )
        self._environ = {
            "PACKYARD_ADMIN_ACCESS_KEY_ID": ACCESS_KEY,
            "PACKYARD_ADMIN_SECRET_ACCESS_KEY": SECRET_KEY,
            **(environ or {}),
        }
        self.data = data
        self.url = ""
        self.log = io.StringIO()
        self._tokens: dict[str, str] = {}

    # --- life --------------------------------------------------------------------------------

    def start(self) -> Server:
        """Returns once it answers.  Raises what kept it from starting."""
        self.lines = Lines(self.log)
        self.app = Application(self.config, self._environ, lines=self.lines)
        up = threading.Event()
        self._failure: BaseException | None = None

        def ready(address: str) -> None:
            self.url = address
            up.set()

        self._server = HTTPServer(self.app, self.config.server, self.app.limits, ready)

        def run() -> None:
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    self.loop = runner.get_loop()
                    runner.run(self._server.serve())
            except BaseException as err:  # told to the test
                self._failure = err
            finally:
                up.set()

        self._thread = threading.Thread(target=run, name="server", daemon=True)
        self._thread.start()
        if not up.wait(30) or not self.url:
            self.lines.close()
            raise RuntimeError(f"The server did not start: {self._failure!r}\n{self.log.getvalue()}")
        return self

    def stop(self) -> None:
        """As SIGTERM does.  A second call does nothing."""
        self._server.should_exit = True
        self._thread.join(40)
        self.lines.close()
        if self._thread.is_alive():
            raise RuntimeError("The server did not stop")

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- addresses and credentials -----------------------------------------------------------

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def boto(
        self, service: str = "codeartifact", *, access_key: str | None = None, secret_key: str | None = None
    ) -> Any:
        """A boto3 client of this server; the administrator's unless keys are given."""
        from botocore.config import Config as BotoConfig

        with _making:  # a session is not for several threads at once
            return _session().client(
                service,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id=access_key or self.access_key,
                aws_secret_access_key=secret_key or self.secret_key,
                config=BotoConfig(retries={"max_attempts": 0}, ignore_configured_endpoint_urls=True),
            )

    def token(self, domain: str = "dom") -> str:
        """An authorization token of the administrator; kept, so that tests are quick."""
        if domain not in self._tokens:
            answer = self.boto().get_authorization_token(domain=domain, durationSeconds=43200)
            self._tokens[domain] = answer["authorizationToken"]
        return self._tokens[domain]

    def endpoint(self, format: str, repo: str = "repo", domain: str = "dom", *, token: str | None = None) -> str:
        """A repository's endpoint, ending in "/"; with user information when a token is given."""
        user = f"aws:{token}@" if token else ""
        return f"http://{user}{self.host}/{format}/d/{domain}-{ACCOUNT}/{repo}/"

    def make(self, domain: str = "dom", *repositories: str, **upstreams: list[str]) -> Server:
        """Make a domain and repositories; `repo=["up"]` sets upstreams (hyphens as underscores)."""
        client = self.boto()
        with contextlib.suppress(client.exceptions.ConflictException):
            client.create_domain(domain=domain)
        for name in repositories:
            client.create_repository(domain=domain, repository=name)
        for name, above in upstreams.items():
            client.update_repository(
                domain=domain,
                repository=name.replace("_", "-"),
                upstreams=[{"repositoryName": each} for each in above],
            )
        return self

    # --- plain requests ----------------------------------------------------------------------

    def request(
        self,
        method: str,
        target: str,
        *,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        """One request on a connection of its own.  `target` is a path or a whole address of this server, sent raw.

        `token` is sent as the password of Basic.
        """
        parts = urlsplit(target)
        path = target if target.startswith("/") else target.split(parts.netloc, 1)[1]
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = basic(token)
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True, skip_host="Host" in sent)
            if isinstance(body, bytes):
                sent.setdefault("Content-Length", str(len(body)))
            elif body is not None:
                sent["Transfer-Encoding"] = "chunked"
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(body, encode_chunked=not isinstance(body, (bytes, type(None))))
            reply = connection.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def get(self, target: str, *, token: str | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("GET", target, token=token, headers=headers)

    def records(self) -> list[dict[str, Any]]:
        """The log's lines so far; those of the last fifth of a second may be missing."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@dataclass
class Pair:
    """`front` has external connections to `back`, which plays the public registry of every format."""

    front: Server
    back: Server
    connections: dict[str, str] = field(default_factory=dict)


def basic(token: str, user: str = "aws") -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()
