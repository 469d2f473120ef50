"""Manifests, facts and the JSON that they come as."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.npm import facts, jsontext, manifest
from registry.core.types import Dependency, License, PackageKey

BAR = PackageKey("npm", "acme", "bar")
BASE = "http://h/npm/d/dom-1/r/"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abinst_", max_size=6), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from([*manifest.ABBREVIATED, "bundledDependencies", "scripts", "license", "repository", "readme"])


def packed(version: str = "1.0.0", **more: Any) -> bytes:
    fields = {"name": "@acme/bar", "version": version, "dist": {"shasum": "x"}, **more}
    return manifest.native(
        jsontext.decode(json.dumps(fields).encode(), manifest.Manifest), package=BAR, version=version
    )


def opened(part: bytes) -> dict[str, Any]:
    return json.loads(part.replace(manifest.BASE, BASE.encode()))


def test_both_parts_are_json_once_the_base_is_put_in() -> None:
    parts = manifest.unpack(packed(dependencies={"a": "^1"}, scripts={"test": "x"}, _npmVersion="11"))

    full, abbreviated = opened(parts.full), opened(parts.abbreviated)

    assert full["dist"] == {"shasum": "x", "tarball": f"{BASE}@acme/bar/-/bar-1.0.0.tgz"}
    assert full["scripts"] == {"test": "x"}
    assert abbreviated == {
        "name": "@acme/bar",
        "version": "1.0.0",
        "dependencies": {"a": "^1"},
        "dist": full["dist"],
    }


@given(st.dictionaries(fields, json_values, max_size=8))
def test_any_manifest_can_be_packed_deprecated_and_opened(found: dict[str, Any]) -> None:
    found.pop("dist", None)
    native = packed(**found)

    for text in ("", 'use "2"\n\x00\x01 ü'):
        changed = manifest.deprecate(native, text)
        assert manifest.deprecated(changed) == text
        for part in manifest.unpack(changed)[:2]:
            assert opened(part)["dist"]["tarball"].startswith(BASE)
    assert isinstance(facts.of(manifest.parse(manifest.unpack(native).full), package=BAR, readme=None), facts.Facts)


def test_undeprecating_gives_back_what_was_there() -> None:
    native = packed(description="d", deprecated=False)

    assert manifest.deprecate(manifest.deprecate(native, "old"), "") == native
    assert "deprecated" not in opened(manifest.unpack(native).full)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({"bin": "cli.js"}, {"bin": {"bar": "cli.js"}}),
        ({"bin": {"x": "y"}}, {"bin": {"x": "y"}}),
        ({"bundledDependencies": ["a"]}, {"bundleDependencies": ["a"]}),
        ({"bundleDependencies": True, "dependencies": {"a": "1", "b": "2"}}, {"bundleDependencies": ["a", "b"]}),
        ({"bundleDependencies": False}, {"bundleDependencies": None}),
        ({"bundledDependencies": {"a": "1"}}, {"bundleDependencies": ["a"]}),
        ({"scripts": {"postinstall": "x"}}, {"hasInstallScript": True}),
        ({"scripts": {"prepare": "install"}}, {"hasInstallScript": None}),
        ({"scripts": {"install": ""}}, {"hasInstallScript": None}),
        ({"deprecated": True}, {"deprecated": "This version is deprecated"}),
        ({"deprecated": ""}, {"deprecated": None}),
        ({"libc": ["musl"], "os": ["linux"]}, {"libc": ["musl"], "os": ["linux"]}),
        ({"peerDependenciesMeta": {"a": {"optional": True}}}, {"peerDependenciesMeta": {"a": {"optional": True}}}),
    ],
)
def test_what_clients_rely_on_is_normalized(given_: dict[str, Any], expected: dict[str, Any]) -> None:
    abbreviated = opened(manifest.unpack(packed(**given_)).abbreviated)

    assert {name: abbreviated.get(name) for name in expected} == expected


def test_attestations_lead_below_this_repository_also_after_deprecating() -> None:
    dist = {"shasum": "x", "attestations": {"url": "https://far/-/npm/v1/attestations/y", "provenance": {"a": "b"}}}
    native = manifest.deprecate(packed(dist=dist), "old")

    found = opened(manifest.unpack(native).full)["dist"]["attestations"]

    assert found == {"url": f"{BASE}-/npm/v1/attestations/@acme/bar@1.0.0", "provenance": {"a": "b"}}


def test_missing_digests_are_completed_and_others_stay() -> None:
    completed = opened(manifest.unpack(manifest.complete(packed(), "sha512-new", "new")).full)["dist"]

    assert (completed["integrity"], completed["shasum"]) == ("sha512-new", "x")
    assert manifest.complete(packed(dist={"integrity": "a", "shasum": "b"}), "c", "d") == packed(
        dist={"integrity": "a", "shasum": "b"}
    )


def test_facts_are_read_as_the_service_model_has_them() -> None:
    found = facts.of(
        jsontext.decode(
            json.dumps(
                {
                    "description": "A bar",
                    "homepage": "https://bar",
                    "repository": "github:acme/bar",
                    "license": {"type": "MIT", "url": "https://mit"},
                    "dependencies": {"@webassemblyjs/ast": "1.8.5", "both": "1"},
                    "optionalDependencies": {"both": "1"},
                    "devDependencies": {"d": "*"},
                    "peerDependencies": {"p": ">=1", "odd": 7},
                }
            ).encode(),
            manifest.Manifest,
        ),
        package=BAR,
        readme="# Bar",
    )

    assert (found.display, found.summary, found.homepage) == ("@acme/bar", "A bar", "https://bar")
    assert found.source == "https://github.com/acme/bar.git"
    assert found.licenses == (License("MIT", "https://mit"),)
    assert found.dependencies == (
        Dependency("webassemblyjs", "ast", "regular", "1.8.5"),
        Dependency(None, "d", "dev", "*"),
        Dependency(None, "p", "peer", ">=1"),
        Dependency(None, "both", "optional", "1"),
    )


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ({"type": "git", "url": "git+https://github.com/lodash/lodash.git"}, "https://github.com/lodash/lodash.git"),
        ("lodash/lodash", "https://github.com/lodash/lodash.git"),
        ("gitlab:a/b", "https://gitlab.com/a/b.git"),
        ("git+ssh://git@host/a/b.git", "https://host/a/b.git"),
        ("git://host/a.git", "https://host/a.git"),
        ("https://host/a", "https://host/a"),
        (None, ""),
        (7, ""),
        ({"url": []}, ""),
    ],
)
def test_the_source_repository_is_a_plain_address(repository: Any, expected: str) -> None:
    assert facts.source(repository) == expected


def test_a_readme_cut_through_an_emoji_can_be_read() -> None:
    text = rb'{"a":"x\ud83d","b":"\\ud83d","c":"\ud83d\ude00","d":"\ude00\ud83d\ud83d\ude00"}'

    assert jsontext.decode(text, dict[str, str]) == {"a": "x�", "b": "\\ud83d", "c": "😀", "d": "��😀"}


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"a":NaN}', b'{"a":1}{}', b'{"a":"\xff"}', b"[]", b'{"a":' + b"[" * 100_000, b'"\x01"']
)
def test_what_is_no_json_object_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        jsontext.decode(text, dict[str, msgspec.Raw])


def test_a_byte_order_mark_is_passed_over() -> None:
    assert jsontext.decode(b'\xef\xbb\xbf{"a":1}', object) == {"a": 1}
