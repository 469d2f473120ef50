"""Resource names, built and parsed in one place.

Forms: guide chapter "Security / IAM", table of resource types.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from registry.core.types import DomainKey, GroupKey, PackageKey, RepoKey

_TAGGABLE = re.compile(
    r"arn:(?P<partition>[a-z\-]+):codeartifact:(?P<region>[a-z0-9\-]+):(?P<owner>[0-9]{12}):"
    r"(?:domain/(?P<domain>[^/]+)|repository/(?P<of>[^/]+)/(?P<repo>[^/]+)"
    r"|package-group/(?P<group_of>[^/]+)(?P<group>/.+))"
)
# Guide, "Package group ARNs": these characters and no others are encoded, in lower case.
_ENCODED: Mapping[str, str] = {"*": "%2a", "$": "%24", "%": "%25"}
_DECODED = re.compile("|".join(_ENCODED.values()))


@dataclass(frozen=True, slots=True)
class Arns:
    """Builds ARNs for one region, which stands in every ARN of this server."""

    region: str
    partition: str = "aws"
    organization: str = ""
    """The id of the organization that every account of this server belongs to, for aws:PrincipalOrgID."""

    def domain(self, key: DomainKey) -> str:
        return f"arn:{self.partition}:codeartifact:{self.region}:{key.owner}:domain/{key.name}"

    def repository(self, key: RepoKey) -> str:
        d = key.domain
        return f"arn:{self.partition}:codeartifact:{self.region}:{d.owner}:repository/{d.name}/{key.name}"

    def package(self, repo: RepoKey, key: PackageKey) -> str:
        """`package/DOMAIN/REPO/FORMAT/NAMESPACE/NAME`; the namespace is empty for packages without one."""
        d = repo.domain
        return (
            f"arn:{self.partition}:codeartifact:{self.region}:{d.owner}:package/"
            f"{d.name}/{repo.name}/{key.format}/{key.namespace or ''}/{key.name}"
        )

    def group(self, key: GroupKey) -> str:
        """`package-group/DOMAIN/PATTERN`, the pattern encoded and without a second slash before it."""
        d = key.domain
        encoded = "".join([_ENCODED.get(each, each) for each in key.pattern])
        return f"arn:{self.partition}:codeartifact:{self.region}:{d.owner}:package-group/{d.name}{encoded}"

    def parse(self, text: str) -> DomainKey | RepoKey | GroupKey:
        """The domain, repository or package group that an ARN of this server names.

        Raises ValueError for any other text.
        """
        match = _TAGGABLE.fullmatch(text)
        if match is None or match["partition"] != self.partition or match["region"] != self.region:
            raise ValueError(f"'{text}' is not the ARN of a domain, a repository or a package group of this server")
        domain = DomainKey(match["owner"], match["domain"] or match["of"] or match["group_of"])
        if match["group"] is not None:
            return GroupKey(domain, _decoded(match["group"]))
        return domain if match["repo"] is None else RepoKey(domain, match["repo"])


def _decoded(encoded: str) -> str:
    """Raises ValueError for what another spelling of the same pattern would be."""
    plain = {code: each for each, code in _ENCODED.items()}
    pattern = _DECODED.sub(lambda found: plain[found[0]], encoded)
    if "".join([_ENCODED.get(each, each) for each in pattern]) != encoded:
        raise ValueError(f"'{encoded}' is not an encoded package group pattern")
    return pattern


def user(account: str, path: str, name: str) -> str:
    """An IAM user's ARN."""
    return f"arn:aws:iam::{account}:user{path}{name}"


def root(account: str) -> str:
    """The account root's ARN."""
    return f"arn:aws:iam::{account}:root"


def session(account: str, role: str, name: str) -> str:
    """The ARN of a role's session."""
    return f"arn:aws:sts::{account}:assumed-role/{role}/{name}"


def iam(account: str, kind: str, path: str, name: str) -> str:
    """An entity of IAM: user, group, role, policy."""
    return f"arn:aws:iam::{account}:{kind}{path}{name}"
