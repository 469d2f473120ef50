"""The wire protocols.  A new format adds one line here."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from registry.web.adapter import Adapter

NAMES = ("generic", "maven", "npm", "nuget", "pypi", "cargo", "ruby", "swift")

FORMATS: tuple[Adapter, ...] = tuple(
    import_module(f"protocols.{name}.adapter").ADAPTER
    for name in NAMES
    if find_spec(f"protocols.{name}.adapter") is not None
)
