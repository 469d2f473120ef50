"""The JSON that `cargo publish` sends (Cargo Book, "Web API", "Publish"), checked before anything is made of it.

A line that clients cannot read breaks a crate for everybody, so whatever the index repeats is checked here.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from protocols.cargo import names
from registry.core.types import Dependency as Shown
from registry.core.types import Facts, License

MAX_DEPENDENCIES = 5_000
MAX_FEATURES = 20_000
MAX_README = 512 * 1024
_RUST = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,2}\Z", re.ASCII)
_FEATURE = re.compile(r"[^\s\x00-\x1f\"']{1,1000}\Z")
_REGISTRY = re.compile(r"(?:sparse\+|git\+)?[a-z][a-z0-9+.-]*:[\x21-\x7e]+\Z")


class Dependency(msgspec.Struct):
    """One dependency; `name` is the crate's, `explicit_name_in_toml` what the manifest calls it."""

    name: str
    version_req: str
    kind: Literal["normal", "build", "dev"] | None = "normal"
    features: list[str] = []
    optional: bool = False
    default_features: bool = True
    target: str | None = None
    registry: str | None = None
    explicit_name_in_toml: str | None = None
    artifact: list[str] | None = None
    bindep_target: str | None = None
    lib: bool = False


class Manifest(msgspec.Struct):
    """What is read of the JSON; everything else in it is ignored."""

    name: str
    vers: str
    deps: list[Dependency] = []
    features: dict[str, list[str]] = {}
    description: str | None = None
    documentation: str | None = None
    homepage: str | None = None
    readme: str | None = None
    license: str | None = None
    license_file: str | None = None
    repository: str | None = None
    links: str | None = None
    rust_version: str | None = None


def read(body: bytes) -> Manifest:
    """Raises ValueError, in words for whoever publishes."""
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as err:
        raise ValueError(f"The metadata is not what cargo publish sends: {err}") from None
    names.canonical(None, manifest.name)
    names.canonical_version(manifest.vers)
    _check_dependencies(manifest)
    _check_features(manifest)
    if manifest.rust_version is not None and not _RUST.match(manifest.rust_version):
        raise ValueError(f"{manifest.rust_version[:80]!r} is not a version of Rust")
    if manifest.links is not None and len(manifest.links) > 1000:
        raise ValueError("The name of the linked library is too long")
    return manifest


def _check_dependencies(manifest: Manifest) -> None:
    if len(manifest.deps) > MAX_DEPENDENCIES:
        raise ValueError(f"The crate has more than {MAX_DEPENDENCIES} dependencies")
    for each in manifest.deps:
        names.canonical(None, each.name)
        if each.explicit_name_in_toml is not None:
            _check_feature(each.explicit_name_in_toml)
        names.requirement(each.version_req)
        for feature in each.features:
            _check_feature(feature)
        each.kind = each.kind or "normal"
        if each.registry is not None and (len(each.registry) > 2000 or not _REGISTRY.match(each.registry)):
            raise ValueError(f"{each.registry[:80]!r} is not the address of a registry")


def _check_features(manifest: Manifest) -> None:
    if sum(1 + len(values) for values in manifest.features.values()) > MAX_FEATURES:
        raise ValueError("The crate has too many features")
    for name, values in manifest.features.items():
        for each in (name, *values):
            _check_feature(each)


def _check_feature(text: str) -> None:
    if not _FEATURE.match(text):
        raise ValueError(f"{text[:80]!r} is not the name of a feature or a dependency")


def facts(manifest: Manifest) -> Facts:
    """What the control plane shows of a publish."""
    told = {
        "description": manifest.description,
        "homepage": manifest.homepage,
        "repository": manifest.repository,
        "license": manifest.license,
        "license-file": manifest.license_file,
    }
    shown = [Shown(None, each.name, each.kind or "normal", each.version_req) for each in manifest.deps]
    return shown_as(manifest.name, told, manifest.readme, shown)


def shown_as(name: str, told: dict[str, Any], readme: str | None, dependencies: list[Shown]) -> Facts:
    """Facts from the fields of a manifest's `[package]`; what is no text counts for nothing."""

    def text(field: str) -> str:
        value = told.get(field)
        return value.strip() if isinstance(value, str) else ""

    license = text("license") or text("license-file")
    return Facts(
        display=name,
        summary=text("description"),
        homepage=text("homepage"),
        source=text("repository"),
        licenses=(License(name=license),) if license else (),
        readme=readme[:MAX_README] if readme else None,
        dependencies=tuple(dependencies),
    )
