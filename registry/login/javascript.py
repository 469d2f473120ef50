"""What npm, pnpm, bun and both yarns read, and what a login puts there.

npm, pnpm, bun and yarn 1 take a user's .npmrc, and another file for it from NPM_CONFIG_USERCONFIG in either case (seen
with npm 6 and 11, pnpm 12, bun 1.4, yarn 1.22).  yarn 2 and later read .yarnrc.yml only.
"""

from __future__ import annotations

from pathlib import Path

from registry.login import npmrc, yaml
from registry.login.changes import Edit, Place
from registry.login.session import Grant


def npm(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """npm and pnpm."""
    return [_npmrc(_user_config(place), grant, scope)]


def bun(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """bun passes over ~/.npmrc when there is one in $XDG_CONFIG_HOME (seen with 1.4)."""
    path = _user_config(place)
    other = place.named("XDG_CONFIG_HOME")
    if path == place.home / ".npmrc" and other and (other / ".npmrc").exists():
        path = other / ".npmrc"
    return [_npmrc(path, grant, scope)]


def yarn(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """Which yarn runs is decided in each project, so both are set up."""
    path = place.home / place.environ.get("YARN_RC_FILENAME", ".yarnrc.yml")
    return [
        _npmrc(_user_config(place), grant, scope, yarn1=True),
        Edit(path, lambda text: _yarnrc(text, grant, scope)),
    ]


def _npmrc(path: Path, grant: Grant, scope: str, *, yarn1: bool = False) -> Edit:
    values = {f"@{scope}:registry" if scope else "registry": grant.endpoint, f"{grant.bare}:_authToken": grant.token}
    if yarn1:  # else it sends no token for packages without a scope; npm warns of this key
        values[f"{grant.bare}:always-auth"] = "true"
    return Edit(path, lambda text: npmrc.put(text, values))


def _yarnrc(text: str, grant: Grant, scope: str) -> str:
    if scope:
        # A scope without the second is published to the registry of all other packages (seen with 4.18).
        keys = ("npmRegistryServer", "npmPublishRegistry")
        text = yaml.put_entry(text, "npmScopes", scope, [(key, grant.endpoint) for key in keys])
    else:
        text = yaml.put(text, "npmRegistryServer", grant.endpoint)
    entry: list[tuple[str, str | bool]] = [("npmAuthToken", grant.token), ("npmAlwaysAuth", True)]
    text = yaml.put_entry(text, "npmRegistries", grant.bare, entry)
    return text if grant.secure else yaml.put_item(text, "unsafeHttpWhitelist", grant.host)


def _user_config(place: Place) -> Path:
    return place.named("npm_config_userconfig", "NPM_CONFIG_USERCONFIG") or place.home / ".npmrc"
