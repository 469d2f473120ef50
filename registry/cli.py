"""The command line: `packyard COMMAND`, of which `packyard --help` has the list.

Exit status 0: done; 1: it could not be done, or `check` found faults; 2: the command or a setting is wrong.
Errors are one line on standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, NoReturn

from registry import __version__
from registry.config import Config, ConfigError, load, override
from registry.core.errors import RegistryError


class Failure(Exception):
    """The command could not be done; the message says why."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        status: int = options.run(options)
    except ConfigError as err:
        return _fail(err, 2)
    except (Failure, RegistryError) as err:
        return _fail(err, 1)
    except OSError as err:
        return _fail(f"{err.strerror or err}{f': {err.filename}' if err.filename else ''}", 1)
    except KeyboardInterrupt:
        return 1
    return status


def _fail(err: object, status: int) -> int:
    message = " ".join(str(err).split())
    print(f"packyard: {message}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; --help has the rest."""

    def error(self, message: str) -> NoReturn:
        self.exit(_fail(f"{message} (see {self.prog} --help)", 2))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="packyard", description="A self-hosted package registry.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = _command(commands, "serve", _serve, "run the registry until SIGTERM or SIGINT")
    serve.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on; 0 takes a free one (default: 8080)")
    serve.add_argument("--workers", type=int, metavar="N", help="processes that share the port (default: 1)")
    serve.add_argument(
        "--quickstart", action="store_true", help="make domain and repository `main` and upstreams of public registries"
    )
    _command(commands, "migrate", _migrate, "bring the database's schema up to date")
    sweep = _command(commands, "sweep", _sweep, "remove stored files that nothing refers to any more")
    sweep.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    check = _command(commands, "check", _check, "read every stored file and compare it with its digests")
    check.add_argument(
        "--repair", action="store_true", help="take damaged files out of use, so that an upload heals them"
    )
    backup = _command(commands, "backup", _backup, "copy everything to a directory, while servers run")
    backup.add_argument(
        "directory", type=Path, metavar="DIR", help="where to; an older backup there is brought up to date"
    )
    backup.add_argument("--without-keys", action="store_true", help="leave out the master key and the credentials file")
    restore = _command(commands, "restore", _restore, "fill an empty server from a backup, on any engine")
    restore.add_argument("directory", type=Path, metavar="DIR", help="a finished backup")
    restore.add_argument("--force", action="store_true", help="replace everything that is there")
    restore.add_argument("--dry-run", action="store_true", help="only read the backup and compare every digest")
    version = commands.add_parser("version", help="print the version", description="Print the version.")
    version.set_defaults(run=_version)
    from registry.administration import command as administration
    from registry.apply import command as apply
    from registry.login import command as login

    apply.add(commands)
    login.add(commands)
    administration.add(commands, _config)
    return parser


def _command(commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--data", help="data directory (default: ./data)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (default: $PACKYARD_CONFIG)")
    parser.set_defaults(run=run)
    return parser


def _config(options: argparse.Namespace) -> Config:
    """The settings of the file, the environment and the command line.  Raises ConfigError."""
    path = options.config
    if path is None and os.environ.get("PACKYARD_CONFIG"):
        path = Path(os.environ["PACKYARD_CONFIG"])
    return override(
        load(path, os.environ),
        host=getattr(options, "host", None),
        port=getattr(options, "port", None),
        data=options.data,
        workers=getattr(options, "workers", None),
    )


def _serve(options: argparse.Namespace) -> int:
    from registry import serving

    return serving.serve(_config(options), quick=options.quickstart)


def _migrate(options: argparse.Namespace) -> int:
    config = _config(options)
    from registry.drivers import store_of

    async def work() -> int:
        store = store_of(config)
        await store.open()
        await store.close()
        print("The schema is up to date")
        return 0

    return asyncio.run(_told(work()))


def _sweep(options: argparse.Namespace) -> int:
    config = _config(options)
    from registry.drivers import storage
    from storage.sweep import sweep

    async def work() -> int:
        async with storage(config) as (store, blobs, clock):
            report = await sweep(store, blobs, clock, dry_run=options.dry_run)
        verb = "would be" if report.dry_run else "were"
        uploads = f", {report.uploads} unfinished uploads {verb} given up" if report.uploads else ""
        print(
            f"{report.condemned} files without a reference {verb} marked, {report.rows} ({report.row_bytes} bytes) and "
            f"{report.strays} unknown files ({report.stray_bytes} bytes) {verb} removed{uploads}"
        )
        return 0

    return asyncio.run(_told(work()))


def _check(options: argparse.Namespace) -> int:
    config = _config(options)
    from registry.drivers import storage
    from storage.sweep import check

    async def work() -> int:
        async with storage(config) as (store, blobs, _):
            report = await check(store, blobs, repair=options.repair)
        for fault in report.faults:
            print(f"{fault.kind}: {fault.sha256} (domain {fault.domain_id}, file {fault.key})")
        print(
            f"{report.files} files, {report.bytes} bytes: {len(report.faults)} faults, "
            f"{report.strays} unknown files, {report.unreferenced} without a reference"
        )
        return 0 if report.sound else 1

    return asyncio.run(_told(work()))


def _backup(options: argparse.Namespace) -> int:
    config = _config(options)
    from registry import moving

    async def work() -> int:
        saved = await moving.backup(config, options.directory, os.environ, secrets=not options.without_keys)
        manifest = saved.manifest
        rows = sum(table.rows for table in manifest.tables.values())
        for name in manifest.lost:
            print(f"lost: {name}")
        print(
            f"{rows} rows, {manifest.files} files ({manifest.bytes} bytes), of which {saved.fresh} were copied now; "
            f"{len(manifest.lost)} files that the store has lost"
        )
        return 1 if manifest.lost else 0

    return asyncio.run(_moved(work()))


def _restore(options: argparse.Namespace) -> int:
    config = _config(options)
    from registry import moving

    async def work() -> int:
        if options.dry_run:
            manifest = await moving.verify(options.directory)
            print(f"The backup of {manifest.made} is whole: {manifest.files} files ({manifest.bytes} bytes)")
            return 0
        restored = await moving.restore(config, options.directory, os.environ, force=options.force)
        loaded = restored.loaded
        print(
            f"{loaded.rows} rows, {loaded.files} files ({loaded.bytes} bytes), of which {loaded.fresh} were written "
            f"now; {len(restored.manifest.lost)} files were lost before the backup of {restored.manifest.made}"
        )
        return 0

    return asyncio.run(_moved(work()))


async def _moved(work: Coroutine[Any, Any, int]) -> int:
    from registry.identity.secrets import KeyFileError
    from registry.moving import Refused
    from storage.backup.engines import Unmovable
    from storage.backup.manifest import Damaged
    from storage.backup.save import InUse

    try:
        return await _told(work)
    except (Refused, Unmovable, Damaged, InUse, KeyFileError) as err:
        raise Failure(str(err)) from err


async def _told(work: Coroutine[Any, Any, int]) -> int:
    from storage.metadata.migrate import SchemaTooNew

    try:
        return await work
    except SchemaTooNew as err:
        raise Failure(str(err)) from err


def _version(options: argparse.Namespace) -> int:
    print(f"packyard {__version__}")
    return 0
