"""What gem and Bundler read, and what a login puts there."""

from __future__ import annotations

from registry.login import yaml
from registry.login.changes import Edit, Place
from registry.login.session import Grant

KEY = "codeartifact_api_key"
"""The guide's name of the key with which gems are pushed."""


def gem(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """~/.gemrc names the one source, with the token; ~/.gem/credentials the keys to push with.

    gem (3.3 and 3.6) sends a key as it is, so that `Bearer` is part of it.  A key under the name of a host is taken
    for that host without being asked for.
    """
    key = f"Bearer {grant.token}"

    def credentials(text: str) -> str:
        return yaml.put(yaml.put(text, f":{KEY}", key), grant.endpoint.rstrip("/"), key)

    return [
        Edit(place.home / ".gem" / "credentials", credentials),
        Edit(place.home / ".gemrc", lambda text: yaml.put_list(text, ":sources", [grant.with_token()])),
    ]


def bundler(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """The user's configuration: credentials for the endpoint, under the key that `bundle config set` makes of it."""
    folder = place.named("BUNDLE_USER_HOME") or place.home / ".bundle"
    path = place.named("BUNDLE_USER_CONFIG") or folder / "config"
    key = "BUNDLE_" + grant.endpoint.replace(".", "__").replace("-", "___").upper()
    return [Edit(path, lambda text: yaml.put(text, key, f"aws:{grant.token}"))]
