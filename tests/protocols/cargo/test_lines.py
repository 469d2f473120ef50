"""From what cargo publishes to the line that it reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocols.cargo import lines, manifest
from tests.samples import cargo as samples
from tests.samples.cargo import dependency

HERE = "http://h:1/cargo/d/dom-111122223333/repo/"


def read(**more: Any) -> manifest.Manifest:
    return manifest.read(json.dumps(samples.Publish(more=more).metadata()).encode())


def line(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lines.of_publish(read(**more), "ab" * 32, HERE))
    return found


def test_a_plain_line_has_every_key_that_clients_need() -> None:
    assert line() == {
        "name": "left", "vers": "1.0.0", "deps": [], "cksum": "ab" * 32, "features": {}, "links": None,
    }  # fmt: skip
    assert line(links="z", rust_version="1.70") | {"links": "z", "rust_version": "1.70"} == line(
        links="z", rust_version="1.70"
    )


def test_a_renamed_dependency_swaps_its_names() -> None:
    given = dependency("real-crate", "^0.3", explicit_name_in_toml="alias", optional=True, features=["a"])

    assert line(deps=[given])["deps"] == [
        {
            "name": "alias", "req": "^0.3", "features": ["a"], "optional": True, "default_features": True,
            "target": None, "kind": "normal", "registry": None, "package": "real-crate",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        (f"sparse+{HERE}", None),
        (HERE, None),
        ("https://elsewhere.example/index", "https://elsewhere.example/index"),
        ("sparse+https://elsewhere.example/", "sparse+https://elsewhere.example/"),
    ],
)
def test_a_registry_is_null_where_it_is_this_one(given: str | None, kept: str | None) -> None:
    assert line(deps=[dependency("a", registry=given)])["deps"][0]["registry"] == kept


def test_several_dependencies_on_one_crate_stay_apart() -> None:
    deps = [dependency("a"), dependency("a", kind="dev"), dependency("a", kind="build", target="cfg(unix)")]

    found = line(deps=deps)["deps"]

    assert [(each["kind"], each["target"]) for each in found] == [
        ("normal", None),
        ("dev", None),
        ("build", "cfg(unix)"),
    ]


def test_features_of_the_extended_syntax_stand_apart_and_make_version_2() -> None:
    found = line(features={"default": ["std"], "std": [], "json": ["dep:serde"], "fast": ["serde?/derive", "std"]})

    assert found["features"] == {"default": ["std"], "std": []}
    assert found["features2"] == {"json": ["dep:serde"], "fast": ["serde?/derive", "std"]}
    assert found["v"] == 2
    assert "v" not in line(features={"a": ["b/c"]})


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"name": "1left"}, "crate's name"),
        ({"name": None}, "not what cargo publish sends"),
        ({"vers": "1.0"}, "semantic version"),
        ({"deps": [dependency("a", "not a version")]}, "version requirement"),
        ({"deps": [dependency("no name")]}, "crate's name"),
        ({"deps": [dependency("a", kind="other")]}, "not what cargo publish sends"),
        ({"deps": [dependency("a", registry="no address")]}, "address of a registry"),
        ({"deps": [dependency("a", explicit_name_in_toml="a b")]}, "feature or a dependency"),
        ({"deps": [dependency("a", features=["x y"])]}, "feature or a dependency"),
        ({"deps": [dependency("a")] * 5001}, "more than 5000"),
        ({"features": {"a b": []}}, "feature or a dependency"),
        ({"features": {"a": ["b\nc"]}}, "feature or a dependency"),
        ({"features": ["a"]}, "not what cargo publish sends"),
        ({"rust_version": "stable"}, "version of Rust"),
        ({"links": "x" * 2000}, "too long"),
    ],
)
def test_what_would_break_a_line_is_refused(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(**more)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"name": "a"}', b"[" * 100_000, b"\xff"])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="not what cargo publish sends"):
        manifest.read(body)
