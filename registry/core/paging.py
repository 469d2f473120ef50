"""Opaque page tokens: the last key shown, bound to an operation and its arguments.

A list function of the core takes `after` (the last key) and `limit` and returns a Page; the control plane
turns the key into a token and back:

    after = paging.after(services.page_key, "ListPackages", arguments, token)       # None: from the start
    page = await packages.list_packages(tx, repository, where, after=after, limit=limit)
    next_token = paging.token(services.page_key, "ListPackages", arguments, page.last)   # None at the end

`arguments` are all members of the request but the token and the page size, so that a size may change
between pages.  A token carries no secret; its checksum is keyed, so that nobody makes one up.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from registry.core.errors import Validation

T = TypeVar("T")

_VERSION = b"\x01"
_CHECK = 16


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the key of the last one when more may follow."""

    items: tuple[T, ...]
    last: tuple[str, ...] | None = None


def token(key: bytes, operation: str, arguments: Mapping[str, object], last: tuple[str, ...] | None) -> str | None:
    """The token that continues after `last`; None when there is nothing more."""
    if last is None:
        return None
    body = _VERSION + json.dumps(last, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_check(key, operation, arguments, body) + body).decode().rstrip("=")


def after(key: bytes, operation: str, arguments: Mapping[str, object], text: str | None) -> tuple[str, ...] | None:
    """The key to continue after.  Raises Validation for a token of another request, or one that is none."""
    if text is None:
        return None
    raw = _decode(text)
    check, body = raw[:_CHECK], raw[_CHECK:]
    if not hmac.compare_digest(check, _check(key, operation, arguments, body)):
        raise _invalid()
    return tuple(json.loads(body[len(_VERSION) :]))


def cut(rows: Sequence[T], limit: int, key: Callable[[T], tuple[str, ...]]) -> Page[T]:
    """A page out of rows that were read with one more than `limit`, which says whether more follows."""
    items = tuple(rows[:limit])
    return Page(items, key(items[-1]) if len(rows) > limit else None)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:  # binascii.Error, or characters outside ASCII
        raise _invalid() from None


def _check(key: bytes, operation: str, arguments: Mapping[str, object], body: bytes) -> bytes:
    bound = json.dumps([operation, sorted((k, _plain(v)) for k, v in arguments.items() if v is not None)]).encode()
    return hmac.digest(key, hashlib.sha256(bound).digest() + body, "sha256")[:_CHECK]


def _plain(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _invalid() -> Validation:
    return Validation("The next token is not valid for this request")
