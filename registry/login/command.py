"""The `login` command: a token, an endpoint, and the package manager's own settings."""

from __future__ import annotations

import argparse
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from registry.login import changes, session, tools
from registry.login.errors import Misuse

_SCOPE = re.compile(r"@?([a-zA-Z0-9~-][a-zA-Z0-9._~-]*)")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    text = "set a package manager up for a repository"
    parser: argparse.ArgumentParser = commands.add_parser(
        "login",
        help=text,
        description=f"{text[0].upper()}{text[1:]}: fetches a token and writes it, with the repository's address, "
        "where the package manager looks.",
    )
    parser.add_argument("tool", metavar="TOOL", help=f"the package manager: {', '.join(tools.TOOLS)}")
    parser.add_argument("--domain", required=True, help="the repository's domain")
    parser.add_argument("--domain-owner", metavar="ACCOUNT", help="the domain's account (default: the caller's)")
    parser.add_argument("--repository", required=True, help="the repository")
    parser.add_argument("--namespace", metavar="@SCOPE", help="npm, pnpm, bun, yarn: only packages of this scope")
    parser.add_argument(
        "--duration-seconds", type=int, metavar="N", help="how long the token is good (default: 12 hours)"
    )
    parser.add_argument(
        "--endpoint-url", metavar="URL", help="the server (default: as AWS settings say, else port 8080 here)"
    )
    parser.add_argument("--profile", help="the AWS profile to sign with")
    parser.add_argument("--region", help="the AWS region to sign for")
    parser.add_argument("--dry-run", action="store_true", help="print what would be changed, without secrets")
    parser.set_defaults(run=_login)


def _login(options: argparse.Namespace) -> int:
    tool = tools.TOOLS.get(options.tool)
    if tool is None:
        raise Misuse(f"login does not know {options.tool!r}; it knows {', '.join(tools.TOOLS)}")
    scope = _scope(options.namespace, options.tool, tool)
    grant = session.ask(
        session.Question(
            domain=options.domain,
            owner=options.domain_owner,
            repository=options.repository,
            format=tool.format,
            seconds=options.duration_seconds,
            server=options.endpoint_url,
            profile=options.profile,
            region=options.region,
        ),
        os.environ,
    )
    place = changes.Place(Path.home(), os.environ)
    planned = changes.plan(tool.edits(place, grant, scope))
    if options.dry_run:
        print("\n".join(change.shown(grant.token) for change in planned))
        return 0
    changes.apply(planned)
    until = grant.expires.astimezone(UTC)
    print(f"{options.tool} uses {grant.endpoint}{f' for @{scope}' if scope else ''}")
    for change in planned:
        print(f"Wrote {change.path}")
    print(f"The login expires at {until:%Y-%m-%d %H:%M:%S} UTC, in {_span(until - datetime.now(UTC))}")
    for hint in tool.hints:
        print(hint.format(endpoint=grant.endpoint))
    for name in os.environ:
        if name.upper() in tool.overrides and os.environ[name]:
            print(f"packyard: note: {name} is set and wins over what was written", file=sys.stderr)
    return 0


def _scope(given: str | None, name: str, tool: tools.Tool) -> str:
    """The scope without its @; empty for all packages.  Raises Misuse."""
    if given is None:
        return ""
    if not tool.scoped:
        raise Misuse(f"--namespace means nothing to {name}")
    found = _SCOPE.fullmatch(given)
    if found is None:
        raise Misuse(f"--namespace is not a scope: {given!r}")
    return found[1]


def _span(left: Any) -> str:
    minutes = max(0, round(left.total_seconds() / 60))
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    return " ".join([*parts, *([f"{minutes} min"] if minutes or not hours else [])])
