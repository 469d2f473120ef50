"""`serve --quickstart`: a domain and a repository that work at once, with a store above it per public registry.

As the guide's console sets it up: repository `main`, and upstream of it `npm-store`, `pypi-store`, ..., each with
one external connection.  What exists already is left as it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from registry.core import repositories
from registry.core.errors import Conflict
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import DomainKey, RepoKey

DOMAIN = "main"
REPOSITORY = "main"

STORES = {
    "public:npmjs": "npm-store",
    "public:pypi": "pypi-store",
    "public:maven-central": "maven-central-store",
    "public:nuget-org": "nuget-store",
    "public:crates-io": "cargo-store",
    "public:ruby-gems-org": "rubygems-store",
    "public:maven-googleandroid": "google-android-store",
    "public:maven-gradleplugins": "gradle-plugins-store",
    "public:maven-commonsware": "commonsware-store",
    "public:maven-clojars": "clojars-store",
}
"""The names that the guide's console gives."""


async def prepare(services: Services, account: str) -> None:
    """Make what is absent."""
    domain = DomainKey(account, DOMAIN)
    stores = {name: store for name, store in STORES.items() if name in services.connections}

    async def work(tx: Tx) -> None:
        if await tx.domains.get(domain) is not None:
            return
        await repositories.create_domain(tx, services, domain, encryption_key=None, tags={})
        for connection, store in stores.items():
            await _make(tx, services, RepoKey(domain, store), f"Provides what {connection} has", ())
            await repositories.associate_connection(tx, services, RepoKey(domain, store), connection)
        await _make(tx, services, RepoKey(domain, REPOSITORY), "Made by --quickstart", tuple(stores.values()))

    try:
        await services.store.write(work)
    except Conflict:
        return  # another process made it meanwhile


async def _make(tx: Tx, services: Services, key: RepoKey, description: str, upstreams: tuple[str, ...]) -> None:
    await repositories.create_repository(
        tx,
        services,
        key,
        description=description,
        upstreams=upstreams,
        administrator=key.domain.owner,
        tags={},
    )


def _program() -> str:
    """This program, as a shell in the same folder finds it."""
    path = Path(sys.executable).with_name("packyard")
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def directions(address: str, credentials: Path, account: str, region: str, formats: list[str]) -> str:
    """Lines to copy and paste, for the AWS CLI and each client."""
    login = f"--domain {DOMAIN} --repository {REPOSITORY}"
    lines = [
        f"The administrator's credentials are in {credentials} (profile packyard).  In another shell:",
        "",
        f"  export AWS_SHARED_CREDENTIALS_FILE={credentials} AWS_PROFILE=packyard",
        f"  export AWS_DEFAULT_REGION={region} AWS_ENDPOINT_URL={address}",
        f"  aws codeartifact list-repositories-in-domain --domain {DOMAIN}",
    ]
    tools = {
        "npm": ("aws codeartifact login --tool npm", "npm install express"),
        "pypi": ("aws codeartifact login --tool pip", "pip install requests"),
        "nuget": (f"{_program()} login dotnet", "dotnet add package Newtonsoft.Json"),
        "maven": (f"{_program()} login maven", "mvn dependency:get -Dartifact=com.google.guava:guava:33.4.0-jre"),
        "cargo": (f"{_program()} login cargo", "cargo add serde"),
        "ruby": (f"{_program()} login gem", "gem install rack"),
    }
    for format, (command, example) in tools.items():
        if format in formats:
            lines += ["", f"  {command} {login}", f"  {example}"]
    if "generic" in formats:
        lines += [
            "",
            "  aws codeartifact publish-package-version --format generic --namespace files --package notes \\",
            f"    --package-version 1.0 --asset-name notes.txt --asset-content notes.txt {login} \\",
            "    --asset-sha256 $(sha256sum notes.txt | cut -d' ' -f1)",
        ]
        lines += [
            "",
            f"  export TOKEN=$(aws codeartifact get-authorization-token --domain {DOMAIN} \\",
            "    --query authorizationToken --output text)",
            f"  curl -u aws:$TOKEN -T notes.txt "
            f"{address}/generic/d/{DOMAIN}-{account}/{REPOSITORY}/files/notes/1.0/notes.txt",
        ]
    return "\n".join(lines)
