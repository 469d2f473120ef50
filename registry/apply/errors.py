"""What can keep a template from being applied: one line each."""

from __future__ import annotations

from registry.config import ConfigError
from registry.core.errors import RegistryError


class ApplyError(RegistryError):
    """The server refused, or could not be asked."""


class TemplateError(ConfigError):
    """The template is wrong; the message names the place."""
