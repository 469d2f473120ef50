"""Route tables, compiled once per format: raw segments -> handler and captured parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.web.adapter import Route
from registry.web.paths import decode


@dataclass(frozen=True, slots=True)
class Match:
    """The route, and its captured parts decoded once."""

    route: Route
    path: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Template:
    route: Route
    methods: frozenset[str]
    parts: tuple[tuple[str | None, str], ...]  # (literal or None, name)
    rest: str | None

    def captures(self, segments: Sequence[str]) -> dict[str, str] | None:
        """The captured parts, still raw."""
        path = {}
        for (literal, name), segment in zip(self.parts, segments, strict=False):
            if literal is None:
                if not segment:
                    return None
                path[name] = segment
            elif literal != segment and literal != decode(segment):
                return None
        if self.rest is not None:
            path[self.rest] = "/".join(segments[len(self.parts) :])
            if not path[self.rest]:
                return None
        return path


class RouteTable:
    """The routes of one adapter."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._templates = [_compile(route) for route in routes]
        self._by_length: dict[int, tuple[_Template, ...]] = {}

    def match(self, method: str, segments: Sequence[str]) -> Match | tuple[str, ...]:
        """The first route that fits, or the methods that this path has (none: there is no such path)."""
        allowed: list[str] = []
        for template in self._of(len(segments)):
            path = template.captures(segments)
            if path is None:
                continue
            if method in template.methods:
                return Match(template.route, {name: decode(raw) for name, raw in path.items()})
            allowed.extend(each for each in sorted(template.methods) if each not in allowed)
        return tuple(allowed)

    def _of(self, length: int) -> tuple[_Template, ...]:
        found = self._by_length.get(length)
        if found is None:
            found = tuple(
                each
                for each in self._templates
                if len(each.parts) == length or (each.rest is not None and len(each.parts) < length)
            )
            if length <= 64:
                self._by_length[length] = found
        return found


def _compile(route: Route) -> _Template:
    parts: list[tuple[str | None, str]] = []
    rest = None
    segments = route.template.split("/")
    for index, segment in enumerate(segments):
        if segment.startswith("{") and segment.endswith("...}"):
            if index != len(segments) - 1:
                raise ValueError(f"{route.template}: a part that takes the rest must stand last")
            rest = segment[1:-4]
        elif segment.startswith("{") and segment.endswith("}"):
            parts.append((None, segment[1:-1]))
        else:
            parts.append((segment, ""))
    methods = set(route.methods)
    if "GET" in methods:
        methods.add("HEAD")
    return _Template(route, frozenset(methods), tuple(parts), rest)
