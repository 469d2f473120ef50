"""What cargo reads, and what a login puts there (guide, "Configure Cargo with CodeArtifact")."""

from __future__ import annotations

from pathlib import Path

from registry.login import toml
from registry.login.changes import Edit, Place
from registry.login.session import Grant

NAME = "packyard"
"""What the registry is called in cargo's settings."""


def cargo(place: Place, grant: Grant, scope: str) -> list[Edit]:
    """config.toml names the registry, makes it the default and puts it in the place of the public one.

    The token goes to credentials.toml, with its scheme, since cargo sends the text as it is.
    """
    home = place.named("CARGO_HOME") or place.home / ".cargo"
    registry = {"index": f"sparse+{grant.endpoint}", "credential-provider": "cargo:token"}

    def edit(text: str) -> str:
        text = toml.put(text, ("registries", NAME), registry)
        text = toml.put(text, ("registry",), {"default": NAME})
        return toml.put(text, ("source", "crates-io"), {"replace-with": NAME})

    secret = {"token": f"Bearer {grant.token}"}
    return [
        Edit(_file(home, "credentials"), lambda text: toml.put(text, ("registries", NAME), secret)),
        Edit(_file(home, "config"), edit),
    ]


def _file(home: Path, name: str) -> Path:
    """The file without an ending, of old, is the one that counts where both are."""
    old = home / name
    return old if old.is_file() else home / f"{name}.toml"
