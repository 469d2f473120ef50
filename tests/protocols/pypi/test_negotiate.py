"""Which form of the index a client gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.pypi.negotiate import choose

PIP = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
POETRY = "application/vnd.pypi.simple.v1+json, */*;q=0.1"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text"),
        ("", "text"),
        ("*/*", "text"),
        ("text/html", "text"),
        ("text/*", "text"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text"),
        (PIP, "json"),
        (POETRY, "json"),
        ("application/vnd.pypi.simple.v1+html", "html"),
        ("application/vnd.pypi.simple.latest+json", "json"),
        ("application/vnd.pypi.simple.latest+html;q=0.3, text/html;q=0.2", "html"),
        ("application/vnd.pypi.simple.v1+json;q=0, */*", "text"),
        ("text/html;q=0, */*", "json"),
        ("application/vnd.pypi.simple.v1+json, */*", "json"),
        ("APPLICATION/VND.PYPI.SIMPLE.V1+JSON", "json"),
        ("application/vnd.pypi.simple.v2+json", None),
        ("application/json", None),
        ("text/html;q=nonsense", None),
    ],
)
def test_the_best_acceptable_form_is_chosen(accept: str | None, kind: str | None) -> None:
    assert choose(accept) == kind


@pytest.mark.parametrize(
    ("forced", "kind"),
    [
        ("application/vnd.pypi.simple.v1+json", "json"),
        ("application/vnd.pypi.simple.latest+html", "html"),
        ("text/html", "text"),
        ("json", None),
    ],
)
def test_the_query_wins(forced: str, kind: str | None) -> None:
    assert choose("application/vnd.pypi.simple.v1+html", forced) == kind


@given(st.text(max_size=60))
def test_any_header_gets_an_answer(accept: str) -> None:
    assert choose(accept) in {"json", "html", "text", None}
