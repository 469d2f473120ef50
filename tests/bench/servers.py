"""Packyard and its peers, each as its documents say to run it, with what a row needs to talk to it."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import boto3

from tests.bench.processes import Process, free_port, process

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
_KEY = {"PACKYARD_ADMIN_ACCESS_KEY_ID": "AKIABENCHBENCHBENCH1", "PACKYARD_ADMIN_SECRET_ACCESS_KEY": "bench" * 8}


@dataclass(frozen=True)
class Packyard:
    """A running Packyard with domain `main`, repository `bench`, and a token."""

    process: Process
    token: str

    def endpoint(self, format: str, repository: str = "bench") -> str:
        return f"{self.process.url}/{format}/d/main-111122223333/{repository}/"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def client(self) -> object:
        return _client(self.process.url)


def _client(url: str) -> object:
    return boto3.client(
        "codeartifact",
        endpoint_url=url,
        region_name="us-west-2",
        aws_access_key_id=_KEY["PACKYARD_ADMIN_ACCESS_KEY_ID"],
        aws_secret_access_key=_KEY["PACKYARD_ADMIN_SECRET_ACCESS_KEY"],
    )


@contextlib.contextmanager
def packyard(
    scratch: Path, name: str = "packyard", *, upstream: str | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Packyard]:
    """One process on SQLite and files; `upstream` is a token-bearing npm endpoint to stand for the npm registry."""
    port = free_port()
    folder = scratch / name
    folder.mkdir(exist_ok=True)
    config = folder / "packyard.toml"
    lines = ["[connections]", f'"public:npmjs" = "{upstream}"'] if upstream else []
    config.write_text("\n".join(lines) + "\n")
    command = [
        str(Path(sys.executable).parent / "packyard"), "serve", "--port", str(port), "--data", str(folder / "data"),
        "--config", str(config),
    ]  # fmt: skip
    env = {**_KEY, **(settings or {})}
    with process(name, command, f"http://127.0.0.1:{port}", cwd=folder, env=env, ready="/healthz") as running:
        client = _client(running.url)
        if not client.list_domains()["domains"]:  # type: ignore[attr-defined]
            client.create_domain(domain="main")  # type: ignore[attr-defined]
            client.create_repository(domain="main", repository="bench")  # type: ignore[attr-defined]
        if upstream:
            client.associate_external_connection(  # type: ignore[attr-defined]
                domain="main", repository="bench", externalConnection="public:npmjs"
            )
        token = client.get_authorization_token(domain="main")["authorizationToken"]  # type: ignore[attr-defined]
        yield Packyard(running, token)


@contextlib.contextmanager
def nginx(
    scratch: Path, *, proxy_to: str | None = None, bearer: Mapping[str, str] | None = None, puts: bool = False
) -> Iterator[Process]:
    """Static files below scratch/nginx/www: `x.json.gz` is sent as JSON with its encoding.  Two workers, as cores.

    With `proxy_to`, /cached/ is a caching proxy of that address.  With `puts`, files can be PUT below /put/.
    """
    folder = scratch / ("nginx-cache" if proxy_to else "nginx-puts" if puts else "nginx")
    (folder / "www").mkdir(parents=True)
    port = free_port()
    authorization = (bearer or {}).get("Authorization", "")
    cache = (
        f"""
        location /cached/ {{
          proxy_pass {proxy_to}; proxy_cache c; proxy_cache_valid 200 10m;
          proxy_set_header Authorization "{authorization}";
          proxy_ignore_headers Cache-Control Expires; proxy_http_version 1.1; proxy_set_header Connection "";
        }}"""
        if proxy_to
        else ""
    )
    dav = "location /put/ { dav_methods PUT; create_full_put_path on; }" if puts else ""
    (folder / "nginx.conf").write_text(f"""
      user root; worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
      events {{ worker_connections 1024; }}
      http {{
        access_log {folder}/access.log combined buffer=64k; sendfile on; tcp_nopush on; keepalive_requests 100000000;
        client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
        uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; client_max_body_size 0;
        {f"proxy_cache_path {folder}/cache keys_zone=c:10m;" if proxy_to else ""}
        server {{
          listen 127.0.0.1:{port}; root {folder}/www; default_type application/octet-stream; types {{ }}
          location ~ [.]json[.]gz$ {{ default_type application/json; add_header Content-Encoding gzip; }}
          location ~ [.]json$ {{ default_type application/json; }}{cache}{dav}
        }}
      }}""")
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    command = [binary, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with process(folder.name, command, f"http://127.0.0.1:{port}", cwd=folder) as running:
        yield running


@contextlib.contextmanager
def counter(scratch: Path, source: Packyard) -> Iterator[Process]:
    """nginx in front of a source, adding its token and logging each request at once: see `asked`."""
    folder = scratch / "counter"
    folder.mkdir()
    port = free_port()
    (folder / "nginx.conf").write_text(f"""
      user root; worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
      events {{ worker_connections 1024; }}
      http {{
        log_format path "$request_method $uri $status"; access_log {folder}/access.log path; proxy_max_temp_file_size 0;
        client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
        uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
        server {{
          listen 127.0.0.1:{port};
          location / {{
            proxy_pass {source.process.url}; proxy_set_header Host $http_host; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_set_header Authorization "Bearer {source.token}";
          }}
        }}
      }}""")
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    command = [binary, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with process("counter", command, f"http://127.0.0.1:{port}", cwd=folder) as running:
        yield running


def asked(scratch: Path, path: str) -> int:
    """How often the source was asked for paths that end like this."""
    lines = (scratch / "counter" / "access.log").read_text().splitlines()
    return sum(line.split()[1].endswith(path) for line in lines)


@contextlib.contextmanager
def verdaccio(scratch: Path, *, upstream: str | None = None) -> Iterator[Process]:
    """Verdaccio with anonymous publishing, which spares it the check of a token."""
    folder = scratch / "verdaccio"
    folder.mkdir()
    port = free_port()
    link = f"uplinks: {{ up: {{ url: '{upstream}', max_fails: 1000 }} }}\n" if upstream else "uplinks: {}\n"
    proxy = ", proxy: up" if upstream else ""
    (folder / "config.yaml").write_text(
        f"storage: {folder}/storage\nauth: {{ htpasswd: {{ file: {folder}/htpasswd }} }}\n{link}"
        f"packages: {{ '**': {{ access: $all, publish: $all, unpublish: $all{proxy} }} }}\n"
        "max_body_size: 1000mb\nuserRateLimit: { windowMs: 1000, max: 1000000 }\n"
        "log: { type: stdout, format: pretty, level: error }\n"
    )
    command = [
        str(TOOLS / "verdaccio/node_modules/.bin/verdaccio"),
        "-c",
        f"{folder}/config.yaml",
        "-l",
        f"127.0.0.1:{port}",
    ]
    url = f"http://127.0.0.1:{port}"
    with process("verdaccio", command, url, cwd=folder, ready="/-/ping") as running:
        yield running


@contextlib.contextmanager
def pypiserver(scratch: Path) -> Iterator[Process]:
    """pypiserver on a folder, uploads without a password."""
    folder = scratch / "pypiserver"
    (folder / "packages").mkdir(parents=True)
    port = free_port()
    command = [
        str(TOOLS / "pypeers/bin/pypi-server"), "run", "-i", "127.0.0.1", "-p", str(port), "-P", ".", "-a", ".",
        "--disable-fallback", str(folder / "packages"),
    ]  # fmt: skip
    with process("pypiserver", command, f"http://127.0.0.1:{port}", cwd=folder) as running:
        yield running


@contextlib.contextmanager
def devpi(scratch: Path) -> Iterator[Process]:
    """devpi-server with an index bench/main; `headers_of` logs in."""
    folder = scratch / "devpi"
    folder.mkdir()
    port = free_port()
    subprocess.run(
        [str(TOOLS / "pypeers/bin/devpi-init"), "--serverdir", str(folder / "data"), "--no-root-pypi"],
        check=True,
        capture_output=True,
    )
    command = [str(TOOLS / "pypeers/bin/devpi-server"), "--serverdir", str(folder / "data"), "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with process("devpi", command, url, cwd=folder, ready="/+api") as running:
        _json("PUT", f"{url}/bench", {"password": "bench"})
        headers = devpi_headers(running)
        _json("PUT", f"{url}/bench/main", {"bases": [], "volatile": True, "type": "stage"}, headers)
        yield running


def devpi_headers(running: Process) -> dict[str, str]:
    """Headers of a logged-in user."""
    answer = _json("POST", f"{running.url}/+login", {"user": "bench", "password": "bench"})
    secret = base64.b64encode(f"bench:{answer['result']['password']}".encode()).decode()
    return {"X-Devpi-Auth": secret, "Authorization": f"Basic {secret}"}


@contextlib.contextmanager
def proxpi(scratch: Path, index: str) -> Iterator[Process]:
    """proxpi in front of an index address that carries its own credentials."""
    folder = scratch / "proxpi"
    folder.mkdir()
    port = free_port()
    env = {"PROXPI_INDEX_URL": index, "PROXPI_INDEX_TTL": "3600", "PROXPI_CACHE_DIR": str(folder / "cache")}
    command = [
        str(TOOLS / "pypeers/bin/gunicorn"), "--threads", "4", "-b", f"127.0.0.1:{port}", "proxpi.server:app",
    ]  # fmt: skip
    with process("proxpi", command, f"http://127.0.0.1:{port}", cwd=folder, env=env) as running:
        yield running


def _json(method: str, url: str, value: object, headers: Mapping[str, str] | None = None) -> dict[str, dict[str, str]]:
    request = urllib.request.Request(
        url,
        data=json.dumps(value).encode(),
        method=method,
        headers={"Content-Type": "application/json", "Accept": "application/json", **(headers or {})},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else {}
