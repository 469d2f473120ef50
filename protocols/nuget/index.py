"""Another registry's service index: which of its resources we read.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import msgspec

_FLAT = ("PackageBaseAddress/3.0.0",)
_REGISTRATIONS = (
    "RegistrationsBaseUrl/3.6.0",
    "RegistrationsBaseUrl/Versioned",
    "RegistrationsBaseUrl/3.4.0",
    "RegistrationsBaseUrl/3.0.0-rc",
    "RegistrationsBaseUrl/3.0.0-beta",
    "RegistrationsBaseUrl",
)
"""Those with SemVer 2 packages first."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Absolute addresses ending in "/"; "" for what the registry does not have."""

    flat: str
    registration: str


def read_index(body: bytes, url: str) -> Resources | None:
    """The resources, of which there is at least one; None for what is no service index of version 3."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError):
        return None
    if not isinstance(document, dict) or not str(document.get("version", "")).startswith("3."):
        return None
    by_type: dict[str, str] = {}
    for kind, address in _resources(document.get("resources")):
        by_type.setdefault(kind.lower(), urljoin(url, address))
    flat = next((by_type[each.lower()] for each in _FLAT if each.lower() in by_type), "")
    registration = next((by_type[each.lower()] for each in _REGISTRATIONS if each.lower() in by_type), "")
    if not flat and not registration:
        return None
    return Resources(_folder(flat), _folder(registration))


def _resources(found: Any) -> Iterator[tuple[str, str]]:
    for each in found if isinstance(found, list) else ():
        if not isinstance(each, dict):
            continue
        addresses = [text for text in _texts(each.get("@id")) if text]
        for kind in _texts(each.get("@type")):
            if addresses:
                yield kind, addresses[0]


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _folder(address: str) -> str:
    return address if not address or address.endswith("/") else f"{address}/"
