"""Resource names, built and parsed in one place.

Forms: guide chapter "Security / IAM", table of resource types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from registry.core.types import DomainKey, PackageKey, RepoKey

_TAGGABLE = re.compile(
    r"arn:(?P<partition>[a-z\-]+):codeartifact:(?P<region>[a-z0-9\-]+):(?P<owner>[0-9]{12}):"
    r"(?:domain/(?P<domain>[^/]+)|repository/(?P<of>[^/]+)/(?P<repo>[^/]+))"
)


@dataclass(frozen=True, slots=True)
class Arns:
    """Builds ARNs for one region, which stands in every ARN of this server."""

    region: str
    partition: str = "aws"

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

    def parse(self, text: str) -> DomainKey | RepoKey:
        """The domain or repository that an ARN of this server names.  Raises ValueError for any other text."""
        match = _TAGGABLE.fullmatch(text)
        if match is None or match["partition"] != self.partition or match["region"] != self.region:
            raise ValueError(f"'{text}' is not the ARN of a domain or a repository of this server")
        domain = DomainKey(match["owner"], match["domain"] or match["of"])
        return domain if match["repo"] is None else RepoKey(domain, match["repo"])


def user(account: str, path: str, name: str) -> str:
    """An IAM user's ARN."""
    return f"arn:aws:iam::{account}:user{path}{name}"


def root(account: str) -> str:
    """The account root's ARN."""
    return f"arn:aws:iam::{account}:root"
