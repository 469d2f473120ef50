"""The resource that each kind of request is about.

Resource types by operation: guide chapters "Domain policies", "Repository policies" and the permissions reference.
`domainOwner` left out means the caller's account (guide, "Cross-account domains").
"""

from __future__ import annotations

import unicodedata

from registry.control.call import Params, Target, format_info
from registry.core.errors import Validation
from registry.core.groups import patterns
from registry.core.services import Services
from registry.core.types import Caller, DomainKey, GroupKey, PackageKey, RepoKey


def account(services: Services, caller: Caller, p: Params) -> Target:
    """Account-level operations are about nothing in particular."""
    return Target("*")


def domain_key(caller: Caller, p: Params) -> DomainKey:
    return DomainKey(p.get("domainOwner") or caller.account, p["domain"])


def domain(services: Services, caller: Caller, p: Params) -> Target:
    key = domain_key(caller, p)
    return Target(services.arns.domain(key), key, id=key.name, type="domain")


def new_domain(services: Services, caller: Caller, p: Params) -> Target:
    """CreateDomain: in the caller's account."""
    key = DomainKey(caller.account, p["domain"])
    return Target(services.arns.domain(key), key, id=key.name, type="domain")


def repository_target(services: Services, key: RepoKey) -> Target:
    return Target(services.arns.repository(key), key.domain, key, id=key.name, type="repository")


def repository(services: Services, caller: Caller, p: Params) -> Target:
    return repository_target(services, RepoKey(domain_key(caller, p), p["repository"]))


def new_repository(services: Services, caller: Caller, p: Params) -> Target:
    """CreateRepository needs its right on the domain (guide, "Enable cross-account access to a domain")."""
    key = domain_key(caller, p)
    return Target(services.arns.domain(key), key, id=p["repository"], type="repository")


def package_key(services: Services, p: Params) -> PackageKey:
    """The canonical spelling.  Raises Validation for what the format refuses."""
    info = format_info(services, p["format"])
    try:
        namespace, name = info.canonical(p.get("namespace"), p["package"])
    except ValueError as err:
        raise Validation(str(err)) from err
    if info.namespace_required and namespace is None:
        raise Validation(f"A namespace is required for packages of the format '{info.name}'")
    return PackageKey(info.name, namespace, name)


def package(services: Services, caller: Caller, p: Params) -> Target:
    repo = RepoKey(domain_key(caller, p), p["repository"])
    key = package_key(services, p)
    arn = services.arns.package(repo, key)
    version = p.get("packageVersion")
    shown = f"{key.namespace}/{key.name}" if key.namespace else key.name
    if version is None:
        return Target(arn, repo.domain, repo, key, id=shown, type="package")
    return Target(arn, repo.domain, repo, key, id=f"{shown}@{version}", type="package-version")


def package_path(services: Services, p: Params) -> PackageKey:
    """A package that need not be anywhere, also of a format that this server has no adapter for.

    A name with letters that its format refuses is taken as it is: whether it would be blocked is what is asked.
    """
    if p["format"] in services.formats and p["package"].isascii():
        return package_key(services, p)
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in p["package"] + p.get("namespace", "")):
        raise Validation("A namespace or package name has no control characters")
    return PackageKey(p["format"], p.get("namespace"), p["package"])


def group_target(services: Services, key: GroupKey) -> Target:
    return Target(services.arns.group(key), key.domain, id=key.pattern, type="package-group")


def group(services: Services, caller: Caller, p: Params) -> Target:
    """A package group.  Raises Validation for what is no pattern."""
    return group_target(services, GroupKey(domain_key(caller, p), patterns.known(p["packageGroup"], services.formats)))


def destination(services: Services, caller: Caller, p: Params) -> Target:
    """CopyPackageVersions needs its right on the destination repository (guide, "Required IAM permissions")."""
    key = RepoKey(domain_key(caller, p), p["destinationRepository"])
    return Target(
        services.arns.repository(key), key.domain, key, package_key(services, p), id=key.name, type="repository"
    )


def source(services: Services, caller: Caller, p: Params) -> Target:
    return repository_target(services, RepoKey(domain_key(caller, p), p["sourceRepository"]))


def tagged(services: Services, caller: Caller, p: Params) -> Target:
    """The domain, repository or package group that `resourceArn` names."""
    text = p["resourceArn"]
    try:
        key = services.arns.parse(text)
    except ValueError as err:
        raise Validation(str(err)) from err
    if isinstance(key, RepoKey):
        return repository_target(services, key)
    if isinstance(key, GroupKey):
        return group_target(services, key)
    return Target(services.arns.domain(key), key, id=key.name, type="domain")
