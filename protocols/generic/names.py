"""Names of generic packages: guide chapter "Generic package constraints", patterns of the service model; pure.

Nothing is normalized: what was published is what is asked for.
"""

from __future__ import annotations

import re
import unicodedata

_PART = re.compile(r"[^#/\s]{1,255}\Z")
_LETTERS = frozenset({"Ll", "Lm", "Lo", "Lt", "Lu", "Nl", "Nd"})
_SPECIAL = frozenset("~!@^&()-_+[]{};,.")
_LONGEST = 255


def canonical(namespace: str | None, name: str) -> tuple[str | None, str]:
    """Both as given.  Raises ValueError without a namespace, or for a name that breaks the model's pattern."""
    if not namespace:
        raise ValueError("A generic package needs a namespace")
    return _checked("namespace", namespace), _checked("package name", name)


def canonical_version(text: str) -> str:
    """The version as given.  Raises ValueError for one that breaks the model's pattern."""
    return _checked("version", text)


def sort_key(version: str) -> str:
    """Versions have no meaning here: their text."""
    return version


def _checked(what: str, text: str) -> str:
    if not _PART.match(text) or not _encodable(text):
        raise ValueError(f"The {what} {text!r} must have 1 to 255 characters and no '#', '/' or white space")
    return text


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_asset_name(name: str) -> None:
    """Raises ValueError for a name that the guide does not allow.

    Combining marks (Mn, Mc) stay out although decomposed names (NFD) need them: the guide's list is closed.
    """
    if not 1 <= len(name) <= _LONGEST:
        raise ValueError(f"An asset name has 1 to {_LONGEST} characters, not {len(name)}")
    if name in {".", ".."}:
        raise ValueError(f"An asset cannot be named {name!r}")
    if name.startswith(" ") or name.endswith(" ") or "  " in name:
        raise ValueError(f"The asset name {name!r} has spaces at an end or in a row")
    wrong = next((char for char in name if not _allowed(char)), None)
    if wrong is not None:
        raise ValueError(
            f"The asset name {name!r} contains {wrong!r}; "
            "letters, digits, single spaces and ~!@^&()-_+[]{};,. are allowed"
        )


def _allowed(char: str) -> bool:
    return char == " " or char in _SPECIAL or unicodedata.category(char) in _LETTERS
