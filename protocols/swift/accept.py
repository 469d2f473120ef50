"""Which form of an answer a client takes (registry specification, "API versioning" and "Content type negotiation")."""

from __future__ import annotations

import re
from typing import Literal

from registry.core.errors import RegistryError, Validation

Form = Literal["json", "swift", "zip"]

_OURS = re.compile(r"application/vnd\.swift\.registry(?:\.v([0-9]{1,9}))?(?:\+([a-z]+))?\Z")
_PLAIN: dict[Form, tuple[str, ...]] = {
    "json": ("application/json", "application/problem+json"),
    "swift": ("text/x-swift", "text/*", "text/plain"),
    "zip": ("application/zip", "application/octet-stream"),
}


class UnsupportedMediaType(RegistryError):
    """The client takes nothing that this address gives."""


def check(header: str | None, form: Form) -> None:
    """Raises Validation for a version of the API other than 1, UnsupportedMediaType for a form that is not given."""
    offers = [each.partition(";")[0].strip().lower() for each in (header or "").split(",") if each.strip()]
    if not offers:
        return
    other = ""
    for offer in offers:
        ours = _OURS.match(offer)
        if ours is not None:
            if ours[1] not in (None, "1"):
                other = ours[1]
            elif ours[2] in (None, form):
                return
        elif offer in ("*/*", "application/*", *_PLAIN[form]):
            return
    if other:
        raise Validation(f"This registry speaks version 1 of the API, not {other}", reason="OTHER")
    raise UnsupportedMediaType(f"Nothing of {', '.join(offers)[:200]} is given here")
