"""The package managers that a login sets up.  A new one is an entry here and a function that says its edits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from registry.login import java, javascript, nuget, python, ruby, rust, swift
from registry.login.changes import Edit, Place
from registry.login.session import Grant

NAME = python.NAME


@dataclass(frozen=True, slots=True)
class Tool:
    """A package manager.

    `edits(place, grant, scope)` says what to change; `scoped`: a scope can be given, else it is empty.  `hints` are
    lines for the user, `overrides` variables (in capitals) that would win over the files.
    """

    format: str
    edits: Callable[[Place, Grant, str], list[Edit]]
    scoped: bool = False
    hints: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()


TOOLS = {
    "npm": Tool("npm", javascript.npm, scoped=True, overrides=("NPM_CONFIG_REGISTRY",)),
    "pnpm": Tool("npm", javascript.npm, scoped=True, overrides=("NPM_CONFIG_REGISTRY", "PNPM_CONFIG_REGISTRY")),
    "bun": Tool("npm", javascript.bun, scoped=True, overrides=("NPM_CONFIG_REGISTRY", "BUN_CONFIG_REGISTRY")),
    "yarn": Tool(
        "npm",
        javascript.yarn,
        scoped=True,
        overrides=("NPM_CONFIG_REGISTRY", "YARN_REGISTRY", "YARN_NPM_REGISTRY_SERVER"),
    ),
    "pip": Tool("pypi", python.pip, overrides=("PIP_INDEX_URL",)),
    "uv": Tool(
        "pypi",
        python.uv,
        hints=(f"To publish: uv publish --index {NAME}",),
        overrides=("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_NO_CONFIG"),
    ),
    "poetry": Tool(
        "pypi",
        python.poetry,
        hints=(
            f"In a project: poetry source add --priority=primary {NAME} {{endpoint}}simple/",
            f"To publish: poetry publish -r {NAME}",
        ),
        overrides=(f"POETRY_HTTP_BASIC_{NAME.upper()}_PASSWORD",),
    ),
    "twine": Tool(
        "pypi",
        python.twine,
        hints=(f"To publish: twine upload -r {NAME} dist/*",),
        overrides=("TWINE_REPOSITORY_URL", "TWINE_USERNAME", "TWINE_PASSWORD"),
    ),
    "maven": Tool(
        "maven",
        java.maven,
        hints=(
            f"To deploy: give distributionManagement the id {java.NAME} and the URL {{endpoint}}",
            f"To take everything from there: a mirror with mirrorOf *, the id {java.NAME} and that URL",
        ),
    ),
    "gradle": Tool("maven", java.gradle, hints=("To publish: the maven-publish plug-in and `gradle publish`",)),
    "sbt": Tool(
        "maven",
        java.sbt,
        hints=(f'To publish: publishTo := Some("{java.NAME}" at "{{endpoint}}"); its versions stay Unfinished',),
    ),
    "cargo": Tool(
        "cargo",
        rust.cargo,
        overrides=("CARGO_REGISTRIES_PACKYARD_INDEX", "CARGO_REGISTRIES_PACKYARD_TOKEN", "CARGO_REGISTRY_DEFAULT"),
    ),
    "nuget": Tool("nuget", nuget.nuget, hints=("To publish: nuget push FILE.nupkg -Source DOMAIN/REPOSITORY",)),
    "dotnet": Tool(
        "nuget", nuget.dotnet, hints=("To publish: dotnet nuget push FILE.nupkg --source DOMAIN/REPOSITORY",)
    ),
    "swift": Tool(
        "swift",
        swift.swift,
        scoped=True,
        hints=(
            "To publish: swift package-registry publish SCOPE.NAME VERSION (SwiftPM sends credentials over https only)",
        ),
        overrides=("SWIFTPM_REGISTRY_TOKEN",),
    ),
    "gem": Tool(
        "ruby",
        ruby.gem,
        hints=(f"To publish: gem push FILE.gem --key {ruby.KEY} --host {{endpoint}}",),
        overrides=("GEM_HOST_API_KEY", "GEMRC"),
    ),
    "bundler": Tool(
        "ruby",
        ruby.bundler,
        hints=(
            'In a Gemfile: source "{endpoint}"',
            "To take the gems of every Gemfile from there: bundle config set --global mirror.all {endpoint}",
        ),
    ),
}
