"""What can keep a login from being done.

RegistryError
  LoginError          it could not be done
    Malformed         a settings file is not what its reader takes, or cannot be changed safely
  (ConfigError)       the command is wrong: `Misuse`
"""

from __future__ import annotations

from registry.config import ConfigError
from registry.core.errors import RegistryError


class LoginError(RegistryError):
    """The login could not be done; the message says why."""


class Malformed(LoginError):
    """The text of a settings file; the message tells where and never quotes it, since it may hold secrets."""


class Misuse(ConfigError):
    """The command line asks for what does not exist."""
