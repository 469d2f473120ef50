"""What a format is: one Adapter value.  No other place asks which format it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.responses import Response
from starlette.types import ASGIApp

from registry.core.errors import RegistryError
from registry.core.ports import Fetcher
from registry.core.types import FormatInfo
from registry.core.view import RepoView
from registry.web.request import Req

Answer = ASGIApp | Response
Handler = Callable[[Req, RepoView], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """`template` is a path below the repository's endpoint, without a leading slash.

    `{name}` takes one raw segment, decoded once (so `%2f` may come out as a slash);
    `{name...}` at the end takes all the rest.  A trailing slash counts: `simple/{project}/` and
    `simple/{project}` are two templates.  GET routes answer HEAD too.  The first match wins.
    `credentials` reads the token of a request that carries it elsewhere than in its headers (npm login: in its
    body); what the headers say is then ignored.
    `weight` says how many requests a request counts as where rates are limited (Ruby dependencies: one for each gem).
    """

    methods: tuple[str, ...]
    template: str
    handler: Handler
    credentials: Callable[[Req], Awaitable[str]] | None = None
    weight: Callable[[Req], int] | None = None


class Adapter(Protocol):
    """One format's protocol."""

    info: FormatInfo
    routes: Sequence[Route]
    fetcher: Fetcher | None

    def fold(self, segments: list[str]) -> list[str]:
        """Bring the spellings of a path (raw segments) to one, e.g. `@scope`, `name` -> `@scope%2fname`."""

    def error(self, err: RegistryError, req: Req) -> Response:
        """The status and body that its client knows how to show."""

    def challenge(self, req: Req) -> Mapping[str, str]:
        """Headers of a 401."""
