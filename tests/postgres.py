"""A private PostgreSQL for tests: the real server, in a temporary directory, on a free port, gone at the end.

    cluster = postgres.shared()          # one for this process, started when it is first asked for
    address = cluster.database()         # a fresh database with the schema in it: "postgresql://..."
    await reset(address)                 # as fresh as it was, for the next test
    cluster.drop(address)

`Cluster(directory)` is one of your own, which you may stop, start and kill.  PostgreSQL refuses to run as root, so
root runs it as `postgres` or `nobody`.  Nothing is flushed to disk: a killed server keeps what it had written, a killed
machine would not.
"""

from __future__ import annotations

import atexit
import glob
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import pytest

USER = "packyard"
PASSWORD = "a-secret-of-the-database"
TEMPLATE = "packyard_template"
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
    "shared_buffers": "32MB",
    "max_connections": "120",
    "autovacuum": "off",
    "jit": "off",
    "logging_collector": "off",
}


_REMEMBER = """
create schema testing;
do $$ declare t text; begin
  for t in select tablename from pg_tables where schemaname = 'public' loop
    execute format('create table testing.%I as table public.%I', t, t);
  end loop;
end $$;
create function testing.reset() returns void language plpgsql as $$ declare t text; begin
  set local session_replication_role = replica;
  for t in select tablename from pg_tables where schemaname = 'public' loop
    execute format('delete from public.%I', t);
    execute format('insert into public.%I select * from testing.%I', t, t);
  end loop;
end $$;
"""
"""What the migrations themselves put into tables is kept apart, so that a test can begin where they ended."""


class Missing(Exception):
    """There is no PostgreSQL here, or none that can be run."""


def binaries() -> Path:
    """The directory of initdb and postgres, of the newest version that is installed.  Raises Missing."""
    for found in sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: -float(path.split("/")[4])):
        if os.access(f"{found}/initdb", os.X_OK):
            return Path(found)
    initdb, server = shutil.which("initdb"), shutil.which("postgres")
    if initdb and server:
        return Path(initdb).resolve().parent
    raise Missing("PostgreSQL (Debian package `postgresql`) is not installed")


class Cluster:
    """One server, started."""

    def __init__(self, directory: Path, **settings: str) -> None:
        """`settings` are the server's own, laid over those for tests.  Raises Missing."""
        self._binaries = binaries()
        self._user = _unprivileged()
        self._data = directory / "data"
        self._log = directory / "log"
        self._settings = SETTINGS | settings
        self._names = itertools.count()
        directory.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            os.chown(directory, self._user.pw_uid, self._user.pw_gid)
            directory.chmod(0o755)
        words = directory / "password"
        words.write_text(PASSWORD)
        words.chmod(0o644)
        self._run(
            "initdb", "--pgdata", str(self._data), "--username", USER, "--pwfile", str(words),
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync",
        )  # fmt: skip
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._templated = False
        self.start()

    # --- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Returns once it answers."""
        options = [f"{name}={value}" for name, value in self._settings.items()]
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port), "-h", "127.0.0.1"]
        command += ["-k", ""]
        for option in options:
            command += ["-c", option]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **self._as_user())
        deadline = time.monotonic() + 30
        while self._process.poll() is None and time.monotonic() < deadline:
            ready = subprocess.run(
                [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
            )
            if ready.returncode == 0:
                return
            time.sleep(0.02)
        raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends every session, SIGQUIT is like a crash, SIGTERM waits for the clients."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def revive(self) -> None:
        """Start it if it is not running."""
        if self._process is None:
            self.start()

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        self.stop(how)
        self.start()

    # --- databases ---------------------------------------------------------------------------

    def address(self, name: str, *, password: str = PASSWORD) -> str:
        """What `storage.database` takes."""
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{name}"

    def database(self, *, empty: bool = False) -> str:
        """A fresh database, with the schema unless `empty`; its address."""
        name = f"packyard_{os.getpid()}_{next(self._names)}"
        if not empty and not self._templated:
            self.sql(f"create database {TEMPLATE}")
            _migrate(self.address(TEMPLATE))
            self.sql(_REMEMBER, TEMPLATE)
            self._templated = True
        self.sql(f"create database {name}" + ("" if empty else f" template {TEMPLATE}"))
        return self.address(name)

    def drop(self, address: str) -> None:
        self.sql(f"drop database if exists {address.rpartition('/')[2]} with (force)")

    def sql(self, statement: str, database: str = "postgres") -> list[list[str]]:
        """Run one statement as the superuser, on a connection of its own; the rows, as text."""
        return [line.split("\t") for line in self._psql("-c", statement, database=database.rpartition("/")[2])]

    def _psql(self, *arguments: str, database: str) -> list[str]:
        answer = subprocess.run(
            [str(self._binaries / "psql"), "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", *arguments,
             self.address(database)],
            capture_output=True, text=True, timeout=60, check=False, env=_environment(),
        )  # fmt: skip
        if answer.returncode:
            raise RuntimeError(answer.stderr)
        return answer.stdout.splitlines()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *arguments], capture_output=True, cwd="/", check=False, **self._as_user()
        )
        if done.returncode:
            raise Missing(f"{program} fails: {done.stderr.decode()}")

    def _as_user(self) -> dict[str, object]:
        if self._user is None:
            return {"env": _environment()}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": [], "env": _environment()}


async def reset(address: str) -> None:
    """Empty a database that nobody else uses, but for what the migrations put there."""
    connection = await asyncpg.connect(address, ssl=False)
    try:
        await connection.execute("select testing.reset()")
    finally:
        connection.terminate()


_shared: Cluster | None = None


def shared() -> Cluster:
    """The server of this test process.  Skips the test where there is none; under CI that is a failure."""
    global _shared
    if _shared is None:
        _shared = private()
    return _shared


def private() -> Cluster:
    """One that its owner may stop and kill; gone at the end of the process."""
    directory = Path(tempfile.mkdtemp(prefix="packyard-postgres-"))
    try:
        cluster = Cluster(directory)
    except Missing as reason:
        shutil.rmtree(directory, ignore_errors=True)
        if os.environ.get("CI"):
            raise
        pytest.skip(f"postgres: {reason}")
    owner = os.getpid()

    def end() -> None:
        if os.getpid() == owner:  # not in a process that was forked from this one
            cluster.stop(signal.SIGQUIT)
            shutil.rmtree(directory, ignore_errors=True)

    atexit.register(end)
    return cluster


def _migrate(address: str) -> None:
    """In a process of its own: tests that need a database may have a loop running."""
    code = "import asyncio, sys; from storage.metadata import postgres_schema as schema;"
    code += "asyncio.run(schema.upgrade(sys.argv[1], 30))"
    subprocess.run([sys.executable, "-c", code, address], check=True, timeout=60, cwd=Path(__file__).parents[1])


def _unprivileged() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Missing("root cannot run PostgreSQL, and there is neither a user `postgres` nor `nobody`")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": "/"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
