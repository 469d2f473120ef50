"""The commands' parsers.  What does the work is imported when a command runs, so that others start quickly."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from registry.config import Config

Configure = Callable[[argparse.Namespace], Config]


def add(commands: Any, configure: Configure) -> None:
    """Add the commands to the parser."""
    account = _group(commands, "account", "accounts of this server")
    made = _command(account, "add", configure, "account_add", "make an account with an administrator")
    made.add_argument("id", metavar="ID", help="twelve digits")
    _command(account, "list", configure, "account_list", "list the accounts")
    user = _group(commands, "user", "users of an account")
    made = _user(user, "add", configure, "user_add", "make a user and an access key")
    made.add_argument("--path", default="/", help="the user's path (default: /)")
    made.add_argument("--policy", action="append", default=[], metavar="NAME", help="a managed policy, by name or ARN")
    made.add_argument("--group", action="append", default=[], metavar="NAME", help="a group to join")
    made.add_argument("--no-key", action="store_true", help="make no access key")
    _user(user, "key", configure, "user_key", "make a further access key")
    _user(user, "delete", configure, "user_delete", "delete a user with keys, policies and tokens")
    _accounted(_command(user, "list", configure, "user_list", "list the users"))
    token = _group(commands, "token", "long-lived tokens")
    made = _user(token, "create", configure, "token_create", "make a token for package managers, bots and editors")
    made.add_argument("--days", type=int, metavar="N", help="for how long (default: until it is revoked)")
    made.add_argument("--domain", help="good for this domain only (default: for every one)")
    made.add_argument("--domain-owner", metavar="ACCOUNT", help="the domain's account (default: the user's)")
    made.add_argument("--description", default="", help="what it is for")
    _accounted(_command(token, "list", configure, "token_list", "list the long-lived tokens"))
    revoke = _command(token, "revoke", configure, "token_revoke", "end a long-lived token at once")
    revoke.add_argument("id", metavar="ID", help="as `token list` shows it")


def _group(commands: Any, name: str, text: str) -> Any:
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    return parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")


def _command(group: Any, name: str, configure: Configure, job: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = group.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--data", help="data directory (default: ./data)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (default: $PACKYARD_CONFIG)")

    def run(options: argparse.Namespace) -> int:
        for line in asyncio.run(_at_desk(configure(options), job, options)):
            print(line)
        return 0

    parser.set_defaults(run=run)
    return parser


def _accounted(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--account", metavar="ID", help="the account (default: the first one)")
    return parser


def _user(group: Any, name: str, configure: Configure, job: str, text: str) -> argparse.ArgumentParser:
    parser = _accounted(_command(group, name, configure, job, text))
    parser.add_argument("name", metavar="USER", help="the user's name")
    return parser


async def _at_desk(config: Config, job: str, options: argparse.Namespace) -> list[str]:
    from registry.administration import jobs, work

    async with work.desk(config) as desk:
        return await jobs.JOBS[job](desk, options)
