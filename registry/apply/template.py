"""A template's parameters and resources, checked, in the order of their dependencies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from registry.apply.errors import TemplateError
from registry.apply.intrinsics import mentioned

DOMAIN, REPOSITORY, GROUP = (f"AWS::CodeArtifact::{kind}" for kind in ("Domain", "Repository", "PackageGroup"))
PROPERTIES: Mapping[str, Mapping[str, bool]] = {
    DOMAIN: {"DomainName": True, "EncryptionKey": False, "PermissionsPolicyDocument": False, "Tags": False},
    REPOSITORY: {
        "RepositoryName": True,
        "DomainName": True,
        "DomainOwner": False,
        "Description": False,
        "ExternalConnections": False,
        "Upstreams": False,
        "PermissionsPolicyDocument": False,
        "Tags": False,
    },
    GROUP: {
        "Pattern": True,
        "DomainName": True,
        "DomainOwner": False,
        "ContactInfo": False,
        "Description": False,
        "OriginConfiguration": False,
        "Tags": False,
    },
}
"""Resource type -> property -> whether it is required."""
_SECTIONS = {"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Resources", "Outputs"}
_ATTRIBUTES = {"Type", "Properties", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"}
_LOGICAL = re.compile(r"[A-Za-z0-9]{1,255}")


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as it is declared, its functions unresolved."""

    name: str
    type: str
    properties: Mapping[str, Any]
    needs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Template:
    """`parameters` have their values; `resources` come after what they need."""

    parameters: Mapping[str, str | list[str]]
    resources: tuple[Resource, ...]


def read(document: Any, given: Mapping[str, str]) -> Template:
    """Check a parsed template; `given` are values of parameters.  Raises TemplateError."""
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        raise TemplateError("The template has no Resources")
    for section in document:
        if section not in _SECTIONS:
            raise TemplateError(f"{section} is not supported; {', '.join(sorted(_SECTIONS))} are")
    parameters = _parameters(document.get("Parameters", {}), given)
    resources = [_resource(name, value) for name, value in document["Resources"].items()]
    for name in parameters:
        if name in document["Resources"]:
            raise TemplateError(f"{name} is both a parameter and a resource")
    return Template(parameters, tuple(_ordered(resources)))


def _parameters(section: Any, given: Mapping[str, str]) -> dict[str, str | list[str]]:
    if not isinstance(section, dict):
        raise TemplateError("Parameters must be a mapping")
    for name in given:
        if name not in section:
            raise TemplateError(f"The template has no parameter {name}")
    found: dict[str, str | list[str]] = {}
    for name, declared in section.items():
        where = f"Parameters.{name}"
        if not isinstance(declared, dict):
            raise TemplateError(f"{where} must be a mapping")
        value = given.get(name, declared.get("Default"))
        if value is None:
            raise TemplateError(f"{where} has no default: give it with --parameter {name}=VALUE")
        text = value if isinstance(value, str) else str(value)
        _check_parameter(where, declared, text)
        is_list = str(declared.get("Type", "String")) in ("CommaDelimitedList", "List<String>", "List<Number>")
        found[name] = [part.strip() for part in text.split(",")] if is_list else text
    return found


def _check_parameter(where: str, declared: Mapping[str, Any], text: str) -> None:
    allowed = declared.get("AllowedValues")
    if isinstance(allowed, list) and text not in [str(each) for each in allowed]:
        raise TemplateError(f"{where}: {text!r} is not among its AllowedValues")
    pattern = declared.get("AllowedPattern")
    if isinstance(pattern, str):
        try:
            fits = len(pattern) <= 1024 and re.fullmatch(pattern, text[:4096]) is not None
        except re.error as err:
            raise TemplateError(f"{where}.AllowedPattern is not a pattern: {err}") from err
        if not fits:
            raise TemplateError(f"{where}: {text!r} does not match its AllowedPattern")


def _resource(name: str, value: Any) -> Resource:
    where = f"Resources.{name}"
    if not _LOGICAL.fullmatch(name):
        raise TemplateError(f"{where}: a resource's name has letters and digits only")
    if not isinstance(value, dict):
        raise TemplateError(f"{where} must be a mapping")
    for attribute in value:
        if attribute not in _ATTRIBUTES:
            raise TemplateError(f"{where}.{attribute} is not supported; {', '.join(sorted(_ATTRIBUTES))} are")
    type = value.get("Type")
    if not isinstance(type, str) or type not in PROPERTIES:
        raise TemplateError(f"{where}.Type: {type!r} is not supported; {', '.join(PROPERTIES)} are")
    properties = value.get("Properties", {})
    if not isinstance(properties, dict):
        raise TemplateError(f"{where}.Properties must be a mapping")
    known = PROPERTIES[type]
    for key in properties:
        if key not in known:
            raise TemplateError(f"{where}.Properties.{key}: {type} has no such property; it has {', '.join(known)}")
    for key, required in known.items():
        if required and key not in properties:
            raise TemplateError(f"{where}.Properties.{key} is missing")
    after = value.get("DependsOn", [])
    after = [after] if isinstance(after, str) else after
    if not isinstance(after, list) or not all(isinstance(each, str) for each in after):
        raise TemplateError(f"{where}.DependsOn must be a name, or a list of names")
    return Resource(name, type, properties, frozenset([*after, *mentioned(properties)]))


def _ordered(resources: list[Resource]) -> Iterator[Resource]:
    """Each after what it needs: what it refers to, and what it names (its domain, its upstreams)."""
    by_name = {each.name: each for each in resources}
    needs = {each.name: (each.needs & by_name.keys()) | _named(each, resources) for each in resources}
    done: set[str] = set()
    while len(done) < len(resources):
        ready = [each for each in resources if each.name not in done and needs[each.name] <= done]
        if not ready:
            left = [each.name for each in resources if each.name not in done]
            raise TemplateError(f"Resources {', '.join(left)} need each other")
        for each in ready:
            done.add(each.name)
            yield each


def _named(resource: Resource, resources: list[Resource]) -> set[str]:
    """Resources that this one means by their plain names, as templates written by hand often do."""
    p = resource.properties
    found = set()
    for other in resources:
        theirs = other.properties
        if other.name == resource.name or (resource.type != DOMAIN and other.type == GROUP):
            continue
        if other.type == DOMAIN and resource.type != DOMAIN and theirs["DomainName"] == p["DomainName"]:
            found.add(other.name)
        if other.type == REPOSITORY and theirs["RepositoryName"] in _repositories(p):
            found.add(other.name)
    return found


def _repositories(properties: Mapping[str, Any]) -> list[Any]:
    upstreams = properties.get("Upstreams")
    named = list(upstreams) if isinstance(upstreams, list) else []
    configuration = properties.get("OriginConfiguration")
    restrictions = configuration.get("Restrictions") if isinstance(configuration, dict) else None
    for restriction in restrictions.values() if isinstance(restrictions, dict) else ():
        listed = restriction.get("Repositories") if isinstance(restriction, dict) else None
        named += listed if isinstance(listed, list) else []
    return named
