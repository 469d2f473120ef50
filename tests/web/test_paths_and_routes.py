"""Raw paths, route tables and ranges: pure rules."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.errors import Validation
from registry.web import ranges
from registry.web.adapter import Route
from registry.web.paths import clean, masked
from registry.web.routes import Match, RouteTable


async def _handler(req: Any, view: Any) -> Any: ...


def table(*templates: str, methods: tuple[str, ...] = ("GET",)) -> RouteTable:
    return RouteTable([Route(methods, template, _handler) for template in templates])


def found(routes: RouteTable, path: str, method: str = "GET") -> tuple[str, dict[str, str]] | tuple[str, ...]:
    match = routes.match(method, path.split("/"))
    return (match.route.template, dict(match.path)) if isinstance(match, Match) else match


@pytest.mark.parametrize("path", ["/a/../b", "/a/./b", "/%2e%2e/b", "/a/.%2E", "/%2E", "/..", "/a/%2e/", "/a%00b"])
def test_a_path_that_climbs_is_refused(path: str) -> None:
    with pytest.raises(Validation):
        clean(path.encode())


@pytest.mark.parametrize("path", ["/a/...", "/.npmrc", "/a/..b/c", "/@s%2fn", "/a%2e%2e%2fb"])
def test_a_path_that_only_looks_like_it_stays_as_it_is(path: str) -> None:
    assert clean(path.encode()) == path


def test_double_slashes_are_folded() -> None:
    assert clean(b"//ruby/d/x//api///v1/gems") == "/ruby/d/x/api/v1/gems"


def test_tokens_in_paths_are_not_logged() -> None:
    assert masked("/npm/d/d-1/r/-/user/token/SECRET") == "/npm/d/d-1/r/-/user/token/***"
    assert masked("/npm/d/d-1/r/-/user/org.couchdb.user:joe") == "/npm/d/d-1/r/-/user/org.couchdb.user:***"


def test_the_first_route_that_fits_wins_and_parts_are_decoded_once() -> None:
    routes = table("-/ping", "-/{rest...}", "{name}", "{name}/{version}")

    assert found(routes, "-/ping") == ("-/ping", {})
    assert found(routes, "-/v1/search") == ("-/{rest...}", {"rest": "v1/search"})
    assert found(routes, "@s%2fn") == ("{name}", {"name": "@s/n"})
    assert found(routes, "a%252fb/1.0") == ("{name}/{version}", {"name": "a%2fb", "version": "1.0"})


def test_a_trailing_slash_counts_and_no_part_is_empty() -> None:
    routes = table("simple/", "simple/{project}/", "simple/{project}")

    assert found(routes, "simple/") == ("simple/", {})
    assert found(routes, "simple/a/") == ("simple/{project}/", {"project": "a"})
    assert found(routes, "simple/a") == ("simple/{project}", {"project": "a"})
    assert found(routes, "simple//") == ()


def test_a_path_with_other_methods_names_them() -> None:
    routes = RouteTable([Route(("GET",), "{a}", _handler), Route(("PUT", "DELETE"), "{a}", _handler)])

    assert found(routes, "x", "HEAD") == ("{a}", {"a": "x"})
    assert set(found(routes, "x", "POST")) == {"GET", "HEAD", "PUT", "DELETE"}
    assert found(routes, "x/y", "POST") == ()


def test_what_is_not_utf_8_is_refused() -> None:
    with pytest.raises(Validation):
        table("{a}").match("GET", ["%ff"])


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_any_quoted_part_comes_out_as_it_was(parts: list[str]) -> None:
    parts = [part.encode("utf-8", "replace").decode() for part in parts]
    routes = table("/".join(f"{{p{number}}}" for number in range(len(parts))))

    match = routes.match("GET", [quote(part, safe="") for part in parts])

    assert isinstance(match, Match)
    assert list(match.path.values()) == parts


@given(st.integers(0, 40), st.integers(0, 50), st.integers(0, 50))
def test_a_range_is_what_slicing_gives(size: int, first: int, last: int) -> None:
    body = bytes(range(size))
    wanted = body[first : last + 1]

    found = ranges.parse(f"bytes={first}-{last}", size)

    if last < first:
        assert found is None
    elif not wanted:
        assert found == []
    else:
        assert found is not None
        assert [body[start:end] for start, end in found] == [wanted]


@given(st.integers(0, 40), st.integers(0, 50))
def test_a_suffix_is_what_slicing_gives(size: int, count: int) -> None:
    body = bytes(range(size))

    found = ranges.parse(f"bytes=-{count}", size)

    assert found is not None
    assert b"".join(body[start:end] for start, end in found) == (body[-count:] if count else b"")


def test_the_compressed_variant_is_the_same_document_for_revalidation() -> None:
    assert ranges.matches('W/"abc-gz"', '"abc"')
    assert ranges.matches('"x", "abc"', '"abc-gz"')
    assert not ranges.matches('"abcd"', '"abc"')
