"""The `apply` command: bring domains, repositories and package groups to what a CloudFormation template declares."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from registry.apply import documents, intrinsics, state, template
from registry.apply.errors import ApplyError, TemplateError
from registry.apply.intrinsics import Names
from registry.apply.state import Outcome, Server
from registry.apply.template import Resource, Template
from registry.login import session

_APPLY: Mapping[str, Callable[[Server, Mapping[str, Any], str], Outcome]] = {
    template.DOMAIN: state.domain,
    template.REPOSITORY: state.repository,
    template.GROUP: state.group,
}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    text = "bring domains, repositories and package groups to what a CloudFormation template declares"
    parser: argparse.ArgumentParser = commands.add_parser(
        "apply",
        help=text,
        description=f"{text[0].upper()}{text[1:]}: resources of the types {', '.join(_APPLY)}, in YAML or JSON.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the template")
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the template; repeatable"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument(
        "--delete",
        action="store_true",
        help="also delete repositories and package groups that the template's domains have and it does not declare",
    )
    parser.add_argument(
        "--endpoint-url", metavar="URL", help="the server (default: as AWS settings say, else port 8080 here)"
    )
    parser.add_argument("--profile", help="the AWS profile to sign with")
    parser.add_argument("--region", help="the AWS region to sign for")
    parser.set_defaults(run=_apply)


def _apply(options: argparse.Namespace) -> int:
    read = template.read(documents.parse(_body(options.file)), _given(options.parameter))
    server = _server(options)
    if not server.dry:
        # Whatever is wrong with the template is found before anything is changed.
        for _ in _outcomes(read, replace(server, dry=True)):
            pass
    counts = {"created": 0, "changed": 0, "unchanged": 0, "deleted": 0}
    applied: list[Outcome] = []
    for outcome in _outcomes(read, server):
        verb = "created" if outcome.created else "changed" if outcome.changes else "unchanged"
        counts[verb] += 1
        applied.append(outcome)
        if verb != "unchanged":
            said = {"created": "would create", "changed": "would change"}[verb] if server.dry else verb
            print(f"{said} {outcome.kind} {outcome.name}{': ' if outcome.changes else ''}{', '.join(outcome.changes)}")
    if options.delete:
        for line in _deleted(server, applied):
            counts["deleted"] += 1
            print(f"{'would delete' if server.dry else 'deleted'} {line}")
    if not server.dry:
        print(", ".join(f"{count} {verb}" for verb, count in counts.items() if count) or "nothing declared")
    return 0


def _body(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(documents.LARGEST + 1)


def _given(options: list[str]) -> dict[str, str]:
    given = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals:
            raise TemplateError(f"--parameter takes NAME=VALUE, not {option!r}")
        given[name] = value
    return given


def _server(options: argparse.Namespace) -> Server:
    import botocore.exceptions

    where = {"server": options.endpoint_url, "profile": options.profile, "region": options.region}
    try:
        client = session.connect("codeartifact", os.environ, **where)
    except (botocore.exceptions.BotoCoreError, ValueError) as err:
        raise ApplyError(str(err)) from err

    @cache
    def identity() -> str:
        try:
            sts = session.connect("sts", os.environ, **{**where, "server": client.meta.endpoint_url})
            account: str = sts.get_caller_identity()["Account"]
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as err:
            raise ApplyError(f"The server does not say whose credentials these are: {err}") from err
        return account

    return Server(client, identity, client.meta.region_name, options.dry_run)


def _outcomes(read: Template, server: Server) -> Iterator[Outcome]:
    attributes: dict[str, dict[str, str]] = {}
    declared = {each.name for each in read.resources}

    def ref(name: str, where: str) -> Any:
        if name in read.parameters:
            return read.parameters[name]
        if name in attributes:
            return attributes[name][""]
        return _pseudo(name, server, where, declared)

    def attribute(name: str, key: str, where: str) -> str:
        if name not in attributes:
            raise TemplateError(f"{where}: there is no resource {name}")
        if not key or key not in attributes[name]:
            known = ", ".join(each for each in attributes[name] if each)
            raise TemplateError(f"{where}: {name} has no attribute {key}; it has {known}")
        return attributes[name][key]

    names = Names(ref, attribute)
    for resource in read.resources:
        outcome = _one(resource, names, server)
        attributes[resource.name] = outcome.attributes
        yield outcome


def _one(resource: Resource, names: Names, server: Server) -> Outcome:
    where = f"Resources.{resource.name}.Properties"
    properties = intrinsics.resolve(dict(resource.properties), names, where)
    try:
        return _APPLY[resource.type](server, properties, where)
    except ApplyError as err:
        raise ApplyError(f"Resources.{resource.name}: {err.message}") from err


def _pseudo(name: str, server: Server, where: str, declared: set[str]) -> Any:
    """CloudFormation's pseudo parameters."""
    known: dict[str, Callable[[], Any]] = {
        "AWS::AccountId": server.identity,
        "AWS::Region": lambda: server.region,
        "AWS::Partition": lambda: "aws",
        "AWS::NoValue": lambda: intrinsics.NO_VALUE,
    }
    if name in known:
        return known[name]()
    also = ", ".join(sorted(declared))
    raise TemplateError(f"{where}: there is no parameter or resource {name}; resources are {also}")


def _deleted(server: Server, applied: list[Outcome]) -> Iterator[str]:
    """What the template's own domains have besides; yields what was deleted.  Domains are never deleted."""
    names = {(outcome.kind, outcome.name) for outcome in applied}
    for outcome in applied:
        if outcome.kind != "domain":
            continue
        at = {"domain": outcome.name, "domainOwner": outcome.attributes["Owner"]}
        for repository in _listed(server, "list_repositories_in_domain", "repositories", at):
            if ("repository", f"{outcome.name}/{repository['name']}") not in names:
                server.do("delete_repository", **at, repository=repository["name"])
                yield f"repository {outcome.name}/{repository['name']}"
        for group in _listed(server, "list_package_groups", "packageGroups", at):
            if group["pattern"] != "/*" and ("package group", f"{outcome.name} {group['pattern']}") not in names:
                server.do("delete_package_group", **at, packageGroup=group["pattern"])
                yield f"package group {outcome.name} {group['pattern']}"


def _listed(server: Server, operation: str, member: str, at: Mapping[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = server.ask(operation, **at, **token) or {}
        found += page.get(member, [])
        if "nextToken" not in page:
            return found
        token = {"nextToken": page["nextToken"]}
