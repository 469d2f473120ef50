"""Bring one resource at a time to what the template declares, over the API.

A property that is declared is made so, whole; one that is left out stays as it is.  Nothing is deleted here but what a
declared list no longer has (an upstream, a connection, a tag, an allowed repository).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from registry.apply.errors import ApplyError, TemplateError

Properties = Mapping[str, Any]
KINDS = {"ExternalUpstream": "EXTERNAL_UPSTREAM", "InternalUpstream": "INTERNAL_UPSTREAM", "Publish": "PUBLISH"}


@dataclass(slots=True)
class Outcome:
    """What was (or would be) done to a resource.  `attributes` are what Fn::GetAtt gives, "" what Ref gives."""

    kind: str
    name: str
    created: bool = False
    changes: list[str] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Server:
    """The API as its caller sees it.  With `dry`, nothing is changed."""

    client: Any
    identity: Callable[[], str]
    region: str
    dry: bool

    def ask(self, operation: str, **parameters: Any) -> dict[str, Any] | None:
        """None for what is not there.  Raises ApplyError."""
        import botocore.exceptions

        try:
            answer: dict[str, Any] = getattr(self.client, operation)(**parameters)
        except botocore.exceptions.ClientError as err:
            if err.response["Error"].get("Code") == "ResourceNotFoundException":
                return None
            raise ApplyError(f"{operation}: {err.response['Error'].get('Message') or err}") from err
        except botocore.exceptions.NoCredentialsError as err:
            raise ApplyError("No AWS credentials were found: set AWS_PROFILE or AWS_ACCESS_KEY_ID") from err
        except (botocore.exceptions.BotoCoreError, ValueError) as err:
            raise ApplyError(str(err)) from err
        return answer

    def do(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """A change.  Raises ApplyError, also for what is not there."""
        if self.dry:
            return {}
        answer = self.ask(operation, **parameters)
        if answer is None:
            raise ApplyError(f"{operation}: what it is about does not exist: {_shown(parameters)}")
        return answer

    def arn(self, resource: str, owner: str | None) -> str:
        return f"arn:aws:codeartifact:{self.region}:{owner or self.identity()}:{resource}"


def domain(server: Server, p: Properties, where: str) -> Outcome:
    """AWS::CodeArtifact::Domain."""
    name = text(p, "DomainName", where)
    outcome = Outcome("domain", name)
    key, tags = optional(p, "EncryptionKey", where), given_tags(p, where)
    found = (server.ask("describe_domain", domain=name) or {}).get("domain")
    if found is None:
        outcome.created = True
        more = {**({"encryptionKey": key} if key else {}), **({"tags": tags} if tags else {})}
        found = server.do("create_domain", domain=name, **more).get("domain", {})
    elif key and not found["encryptionKey"].endswith(key.rpartition(":")[2]):
        raise TemplateError(f"{where}.EncryptionKey: the key of domain {name} cannot be changed")
    owner = found.get("owner") or server.identity()
    arn = found.get("arn") or server.arn(f"domain/{name}", owner)
    outcome.attributes = {"": arn, "Arn": arn, "Name": name, "Owner": owner}
    outcome.attributes["EncryptionKey"] = found.get("encryptionKey", key or "")
    if not outcome.created:
        _tag(server, outcome, arn, tags)
    _policy(server, outcome, "domain", {"domain": name, "domainOwner": owner}, p, where)
    return outcome


def repository(server: Server, p: Properties, where: str) -> Outcome:
    """AWS::CodeArtifact::Repository."""
    name, within = text(p, "RepositoryName", where), _within(p, where)
    at = {**within, "repository": name}
    outcome = Outcome("repository", f"{within['domain']}/{name}")
    description, tags = optional(p, "Description", where), given_tags(p, where)
    upstreams, connections = texts(p, "Upstreams", where), texts(p, "ExternalConnections", where)
    found = (server.ask("describe_repository", **at) or {}).get("repository")
    if found is None:
        outcome.created = True
        more: dict[str, Any] = {"tags": tags} if tags else {}
        more |= {"description": description} if description else {}
        more |= {"upstreams": [{"repositoryName": each} for each in upstreams]} if upstreams else {}
        found = server.do("create_repository", **at, **more).get("repository", {})
        held, above = [], list(upstreams or ())
    else:
        held = [each["externalConnectionName"] for each in found["externalConnections"]]
        above = [each["repositoryName"] for each in found["upstreams"]]
    # A repository has upstreams or a connection: what goes, goes first.
    for each in held if connections is not None else ():
        if each not in (connections or ()):
            outcome.changes.append(f"external connection {each} removed")
            server.do("disassociate_external_connection", **at, externalConnection=each)
    _update_repository(server, outcome, at, found, description, upstreams if upstreams != above else None)
    for each in connections or ():
        if each not in held:
            outcome.changes.append(f"external connection {each}")
            server.do("associate_external_connection", **at, externalConnection=each)
    owner = found.get("domainOwner") or within.get("domainOwner") or server.identity()
    arn = found.get("arn") or server.arn(f"repository/{within['domain']}/{name}", owner)
    outcome.attributes = {"": arn, "Arn": arn, "Name": name, "DomainName": within["domain"], "DomainOwner": owner}
    if not outcome.created:
        _tag(server, outcome, arn, tags)
    _policy(server, outcome, "repository", at, p, where)
    return outcome


def _update_repository(
    server: Server,
    outcome: Outcome,
    at: Mapping[str, str],
    found: Mapping[str, Any],
    description: str | None,
    upstreams: Sequence[str] | None,
) -> None:
    if outcome.created:
        return
    change: dict[str, Any] = {}
    if description is not None and description != found.get("description", ""):
        change["description"] = description
        outcome.changes.append("description")
    if upstreams is not None:
        change["upstreams"] = [{"repositoryName": each} for each in upstreams]
        outcome.changes.append(f"upstreams {', '.join(upstreams) or '(none)'}")
    if change:
        server.do("update_repository", **at, **change)


def group(server: Server, p: Properties, where: str) -> Outcome:
    """AWS::CodeArtifact::PackageGroup."""
    pattern, within = text(p, "Pattern", where), _within(p, where)
    at = {**within, "packageGroup": pattern}
    outcome = Outcome("package group", f"{within['domain']} {pattern}")
    details = {"contactInfo": optional(p, "ContactInfo", where), "description": optional(p, "Description", where)}
    wanted = {member: value for member, value in details.items() if value is not None}
    tags = given_tags(p, where)
    found = (server.ask("describe_package_group", **at) or {}).get("packageGroup")
    if found is None:
        outcome.created = True
        more = {"tags": tags} if tags else {}
        found = server.do("create_package_group", **at, **wanted, **more).get("packageGroup", {})
    else:
        changed = {member: value for member, value in wanted.items() if value != found.get(member, "")}
        if changed:
            outcome.changes += changed
            server.do("update_package_group", **at, **changed)
    _restrict(server, outcome, at, p, found, where)
    encoded = pattern.replace("%", "%25").replace("*", "%2a").replace("$", "%24")
    arn = found.get("arn") or server.arn(f"package-group/{within['domain']}{encoded}", within.get("domainOwner"))
    outcome.attributes = {"": arn, "Arn": arn}
    if not outcome.created:
        _tag(server, outcome, arn, tags)
    return outcome


def _restrict(
    server: Server, outcome: Outcome, at: Mapping[str, str], p: Properties, found: Mapping[str, Any], where: str
) -> None:
    declared = restrictions(p, where)
    held = found.get("originConfiguration", {}).get("restrictions", {})
    modes: dict[str, str] = {}
    lists: dict[str, list[dict[str, str]]] = {"addAllowedRepositories": [], "removeAllowedRepositories": []}
    for kind, (mode, names) in declared.items():
        before = held.get(kind, {}).get("mode", "INHERIT")
        if mode != before:
            modes[kind] = mode
        if names is None:
            continue
        there = _allowed(server, at, kind) if before == "ALLOW_SPECIFIC_REPOSITORIES" and not outcome.created else []
        for member, some in (
            ("addAllowedRepositories", [each for each in names if each not in there]),
            ("removeAllowedRepositories", [each for each in there if each not in names]),
        ):
            lists[member] += [{"originRestrictionType": kind, "repositoryName": each} for each in some]
    change = {**({"restrictions": modes} if modes else {}), **{member: each for member, each in lists.items() if each}}
    if change:
        outcome.changes += [f"{kind}={mode}" for kind, mode in modes.items()]
        for member, sign in (("addAllowedRepositories", "+"), ("removeAllowedRepositories", "-")):
            outcome.changes += [
                f"{each['originRestrictionType']} {sign}{each['repositoryName']}" for each in lists[member]
            ]
        server.do("update_package_group_origin_configuration", **at, **change)


def restrictions(p: Properties, where: str) -> dict[str, tuple[str, list[str] | None]]:
    """Kind -> mode and allowed repositories (None where there is no such list)."""
    configuration = p.get("OriginConfiguration", {})
    where = f"{where}.OriginConfiguration"
    if not isinstance(configuration, dict) or set(configuration) - {"Restrictions"}:
        raise TemplateError(f"{where} must be a mapping with Restrictions")
    where = f"{where}.Restrictions"
    declared = configuration.get("Restrictions", {})
    if not isinstance(declared, dict) or set(declared) - set(KINDS):
        raise TemplateError(f"{where} must be a mapping with {', '.join(KINDS)}")
    found = {}
    for name, restriction in declared.items():
        if not isinstance(restriction, dict) or set(restriction) - {"RestrictionMode", "Repositories"}:
            raise TemplateError(f"{where}.{name} must be a mapping with RestrictionMode and Repositories")
        mode = text(restriction, "RestrictionMode", f"{where}.{name}")
        names = texts(restriction, "Repositories", f"{where}.{name}")
        specific = mode == "ALLOW_SPECIFIC_REPOSITORIES"
        if names and not specific:
            raise TemplateError(f"{where}.{name}.Repositories: only ALLOW_SPECIFIC_REPOSITORIES has such a list")
        found[KINDS[name]] = (mode, names if specific else None)
    return found


def _allowed(server: Server, at: Mapping[str, str], kind: str) -> list[str]:
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = server.ask("list_allowed_repositories_for_group", **at, originRestrictionType=kind, **token) or {}
        names += page.get("allowedRepositories", [])
        if "nextToken" not in page:
            return names
        token = {"nextToken": page["nextToken"]}


# --- what several of them have --------------------------------------------------------------------


def _tag(server: Server, outcome: Outcome, arn: str, tags: list[dict[str, str]] | None) -> None:
    if tags is None:
        return
    held = {
        each["key"]: each["value"]
        for each in (server.ask("list_tags_for_resource", resourceArn=arn) or {}).get("tags", [])
    }
    wanted = {each["key"]: each["value"] for each in tags}
    changed = [each for each in tags if held.get(each["key"]) != each["value"]]
    gone = [key for key in held if key not in wanted]
    if changed or gone:
        outcome.changes.append("tags")
    if changed:
        server.do("tag_resource", resourceArn=arn, tags=changed)
    if gone:
        server.do("untag_resource", resourceArn=arn, tagKeys=gone)


def _policy(server: Server, outcome: Outcome, kind: str, at: Mapping[str, str], p: Properties, where: str) -> None:
    wanted = p.get("PermissionsPolicyDocument")
    if wanted is None:
        return
    try:
        document = json.loads(wanted) if isinstance(wanted, str) else wanted
    except ValueError as err:
        raise TemplateError(f"{where}.PermissionsPolicyDocument is not JSON: {err}") from err
    if not isinstance(document, dict):
        raise TemplateError(f"{where}.PermissionsPolicyDocument must be a mapping")
    held = None
    if not (server.dry and outcome.created):
        held = (server.ask(f"get_{kind}_permissions_policy", **at) or {}).get("policy")
    if held is None or json.loads(held["document"]) != document:
        outcome.changes.append("policy")
        server.do(f"put_{kind}_permissions_policy", **at, policyDocument=json.dumps(document, ensure_ascii=False))


def _within(p: Properties, where: str) -> dict[str, str]:
    owner = optional(p, "DomainOwner", where)
    return {"domain": text(p, "DomainName", where), **({"domainOwner": owner} if owner else {})}


def text(p: Properties, key: str, where: str) -> str:
    """A property that must be a text.  Raises TemplateError."""
    value = p.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise TemplateError(f"{where}.{key} must be a text")
    return value


def optional(p: Properties, key: str, where: str) -> str | None:
    """The same, where it may be left out or empty."""
    return "" if p.get(key) == "" else text(p, key, where) if key in p else None


def texts(p: Properties, key: str, where: str) -> list[str] | None:
    """A list of texts, None where it is left out."""
    value = p.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise TemplateError(f"{where}.{key} must be a list of texts")
    return value


def given_tags(p: Properties, where: str) -> list[dict[str, str]] | None:
    """Tags as the API has them, None where they are left out."""
    value = p.get("Tags")
    if value is None:
        return None
    if not isinstance(value, list) or not all(
        isinstance(each, dict) and set(each) == {"Key", "Value"} for each in value
    ):
        raise TemplateError(f"{where}.Tags must be a list of Key and Value")
    return [{"key": str(each["Key"]), "value": str(each["Value"])} for each in value]


def _shown(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in parameters.items() if isinstance(value, str))[:300]
