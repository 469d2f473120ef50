"""The `login` command: a token, an endpoint, and the package manager's own settings."""

from __future__ import annotations

import argparse
import os
from datetime import UTC
from pathlib import Path
from typing import Any

from registry.login import session, tools
from registry.login.changes import Place


def add(commands: Any) -> None:
    """Add the command to the parser."""
    text = "set a package manager up for a repository"
    parser: argparse.ArgumentParser = commands.add_parser(
        "login",
        help=text,
        description=f"{text[0].upper()}{text[1:]}: fetches a token and writes it, with the repository's address, "
        "where the package manager looks.",
    )
    parser.add_argument("tool", choices=sorted(tools.TOOLS), help="the package manager")
    parser.add_argument("--domain", required=True, help="the repository's domain")
    parser.add_argument("--domain-owner", metavar="ACCOUNT", help="the domain's account (default: the caller's)")
    parser.add_argument("--repository", required=True, help="the repository")
    parser.add_argument("--namespace", metavar="SCOPE", help="npm, pnpm, bun: only packages of this scope")
    parser.add_argument(
        "--duration-seconds", type=int, metavar="N", help="how long the token is good (default: 12 hours)"
    )
    parser.add_argument(
        "--endpoint-url", metavar="URL", help="the server (default: AWS_ENDPOINT_URL, else port 8080 here)"
    )
    parser.add_argument("--profile", help="the AWS profile to sign with")
    parser.add_argument("--dry-run", action="store_true", help="print what would be changed, without the token")
    parser.set_defaults(run=_login)


def _login(options: argparse.Namespace) -> int:
    tool = tools.TOOLS[options.tool]
    if options.namespace and not tool.scoped:
        raise session.LoginError(f"--namespace means nothing to {options.tool}")
    grant = session.ask(
        session.Question(
            domain=options.domain,
            owner=options.domain_owner,
            repository=options.repository,
            format=tool.format,
            seconds=options.duration_seconds,
            server=options.endpoint_url,
            profile=options.profile,
        ),
        os.environ,
    )
    place = Place(Path.home(), os.environ)
    changes = tool.changes(place, grant, (options.namespace or "").lstrip("@"))
    for change in changes:
        if options.dry_run:
            print(change.shown(grant.token))
        else:
            change.make()
    if not options.dry_run:
        until = grant.expires.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
        print(f"{options.tool} uses {grant.endpoint} until {until}")
        for hint in tool.hints:
            print(hint.format(endpoint=grant.endpoint))
    return 0
