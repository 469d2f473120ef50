"""What each package manager reads, and what a login puts there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from registry.login import edits
from registry.login.changes import Change, Command, Edit, Place
from registry.login.session import Grant

NAME = "packyard"
"""What the repository is called in settings that want a name."""

LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Tool:
    """A package manager.  `changes(place, grant, namespace)`; `scoped`: a namespace can be given."""

    format: str
    changes: Callable[[Place, Grant, str], list[Change]]
    scoped: bool = False
    hints: tuple[str, ...] = ()


def npmrc(place: Place, grant: Grant, namespace: str) -> list[Change]:
    """npm, pnpm and bun read ~/.npmrc."""
    return [_npmrc(place, grant, namespace, {})]


def _npmrc(place: Place, grant: Grant, namespace: str, more: dict[str, str]) -> Change:
    path = place.named("NPM_CONFIG_USERCONFIG", "npm_config_userconfig") or place.home / ".npmrc"
    values = {
        f"@{namespace}:registry" if namespace else "registry": grant.endpoint,
        f"{grant.bare}:_authToken": grant.token,
        **more,
    }
    return Edit(path, lambda text: edits.lines(text, values))


def yarn(place: Place, grant: Grant, namespace: str) -> list[Change]:
    """Version 1 reads ~/.npmrc and wants to be told to send the token always; later ones read ~/.yarnrc.yml."""
    host = grant.bare.removeprefix("//").partition("/")[0]
    body = [f'npmRegistryServer: "{grant.endpoint}"']
    if namespace:
        body = ["npmScopes:", f'  "{namespace}":', f'    npmRegistryServer: "{grant.endpoint}"']
    body += [
        "npmRegistries:",
        f'  "{grant.bare}":',
        f'    npmAuthToken: "{grant.token}"',
        "    npmAlwaysAuth: true",
    ]
    if grant.endpoint.startswith("http:"):
        body += ["unsafeHttpWhitelist:", f'  - "{host.rpartition(":")[0] or host}"']
    path = place.home / ".yarnrc.yml"
    against = {
        rf"^{line.partition(':')[0]}:": f"{path} has its own {line.partition(':')[0]}; remove it and log in again"
        for line in body
        if not line.startswith(" ")
    }
    return [
        _npmrc(place, grant, namespace, {f"{grant.bare}:always-auth": "true"}),
        Edit(path, lambda text: edits.block(text, "\n".join(body), against=against)),
    ]


def pip(place: Place, grant: Grant, namespace: str) -> list[Change]:
    """pip.conf: the legacy file wins over the newer place, so an existing one is used."""
    legacy = place.home / ".pip" / "pip.conf"
    path = place.named("PIP_CONFIG_FILE") or (legacy if legacy.exists() else place.config("pip", "pip.conf"))
    values = {"index-url": grant.with_token("simple/")}
    if grant.endpoint.startswith("http:") and grant.host not in LOCAL:
        values["trusted-host"] = grant.host
    return [Edit(path, lambda text: edits.ini(text, "global", values))]


def uv(place: Place, grant: Grant, namespace: str) -> list[Change]:
    """uv.toml: an index with publish-url, named so that `uv publish --index packyard` finds it."""
    path = place.named("UV_CONFIG_FILE") or place.config("uv", "uv.toml")
    body = [
        "[[index]]",
        f'name = "{NAME}"',
        f'url = "{grant.with_token("simple/")}"',
        f'publish-url = "{grant.with_token()}"',
        "default = true",
    ]
    against = {
        r"^\s*default\s*=\s*true": f"{path} has a default index already; remove it and log in again",
        rf'^\s*name\s*=\s*"{NAME}"': f"{path} has an index of the name {NAME} already; remove it and log in again",
    }
    return [Edit(path, lambda text: edits.block(text, "\n".join(body), against=against))]


def poetry(place: Place, grant: Grant, namespace: str) -> list[Change]:
    """By its own commands, since it may keep passwords in a keyring."""
    return [
        Command(("poetry", "config", f"repositories.{NAME}", grant.endpoint)),
        Command(("poetry", "config", f"http-basic.{NAME}", "aws", grant.token)),
    ]


def twine(place: Place, grant: Grant, namespace: str) -> list[Change]:
    """~/.pypirc: a server of its own among those that are there."""

    def edit(text: str) -> str:
        servers = edits.ini_value(text, "distutils", "index-servers").split()
        if NAME not in servers:
            servers.append(NAME)
        text = edits.ini(text, "distutils", {"index-servers": "".join(f"\n    {each}" for each in servers)})
        return edits.ini(text, NAME, {"repository": grant.endpoint, "username": "aws", "password": grant.token})

    return [Edit(place.home / ".pypirc", edit)]


TOOLS = {
    "npm": Tool("npm", npmrc, scoped=True),
    "pnpm": Tool("npm", npmrc, scoped=True),
    "bun": Tool("npm", npmrc, scoped=True),
    "yarn": Tool("npm", yarn, scoped=True),
    "pip": Tool("pypi", pip),
    "uv": Tool("pypi", uv, hints=(f"To publish: uv publish --index {NAME}",)),
    "poetry": Tool(
        "pypi",
        poetry,
        hints=(
            f"In a project: poetry source add --priority=primary {NAME} {{endpoint}}simple/",
            f"To publish: poetry publish -r {NAME}",
        ),
    ),
    "twine": Tool("pypi", twine, hints=(f"To publish: twine upload -r {NAME} dist/*",)),
}
