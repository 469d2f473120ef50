"""Core metadata -> what the control plane and the JSON document show."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.pypi import core
from protocols.pypi.native import FileFacts, encode, file_facts, refresh, set_yanked, version_facts, version_native
from registry.core.types import Dependency, License
from tests.samples import pypi as samples


def told(**headers: str) -> core.Core:
    return core.from_bytes(
        samples.metadata(samples.Project(headers={k.replace("_", "-"): v for k, v in headers.items()}))
    )


def test_facts_hold_what_describe_package_version_shows() -> None:
    project = samples.Project(
        name="My.Pkg",
        requires=['requests[socks]>=2,<3; python_version < "4"', "Foo_Bar (>1.0)", "a @ file:///x", "not valid !!"],
        headers={"Home-page": "http://home.test/", "License": "MIT", "Project-URL": "Source Code, http://src.test/"},
    )

    facts = core.facts(core.from_bytes(samples.metadata(project)))

    assert facts.display == "My.Pkg"
    assert facts.summary == "A sample"
    assert facts.homepage == "http://home.test/"
    assert facts.source == "http://src.test/"
    assert facts.readme == "# Sample\n\nRead me.\n"
    assert facts.licenses == (License(name="MIT"),)
    assert facts.dependencies == (
        Dependency(None, "requests", "Requires-Dist", '<3,>=2; python_version < "4"'),
        Dependency(None, "foo-bar", "Requires-Dist", ">1.0"),
        Dependency(None, "a", "Requires-Dist", "@ file:///x"),
        Dependency(None, "not", "Requires-Dist", "valid !!"),
    )


@pytest.mark.parametrize(
    ("headers", "licenses"),
    [
        ({"License_Expression": "MIT OR Apache-2.0", "License": "x"}, ["MIT OR Apache-2.0"]),
        ({"Classifier": "License :: OSI Approved :: BSD License"}, ["BSD License"]),
        ({"License": "UNKNOWN"}, []),
        ({"License": "long " * 50, "Classifier": "License :: OSI Approved :: MIT License"}, ["MIT License"]),
        ({}, []),
    ],
)
def test_licenses_come_from_the_best_source(headers: dict[str, str], licenses: list[str]) -> None:
    assert [found.name for found in core.facts(told(**headers)).licenses] == licenses


def test_the_home_page_can_be_a_project_url() -> None:
    assert core.facts(told(Project_URL="Home-Page, http://home.test/")).homepage == "http://home.test/"


def test_metadata_of_the_future_passes() -> None:
    body = samples.metadata(samples.Project(headers={"Quantum-Field": "yes"}), "9.9")

    assert core.from_bytes(body).name == "sample-pkg"


@pytest.mark.parametrize("body", [b"", b"Name: x\n", b"Version: 1\n", b"\xff\xfe", b"Name: \nVersion: 1\n"])
def test_metadata_without_identity_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"Name or Version|parsed"):
        core.from_bytes(body)


@given(st.binary(max_size=400))
@settings(max_examples=200)
def test_any_metadata_can_be_stored_or_is_refused(noise: bytes) -> None:
    for body in (noise, b"Name: a\nVersion: 1\n" + noise, b"Name: a\nVersion: 1\n\n" + noise):
        try:
            found = core.from_bytes(body)
        except ValueError:
            continue
        version_native(core.info(found))
        msgspec.json.encode(core.facts(found))


def test_a_form_speaks_for_a_file_without_metadata() -> None:
    found = core.from_form({
        "name": ["a"], "version": ["1"], "keywords": ["x, y"], "project_urls": ["Home, http://h.test/"],
        "requires_dist": ["b>1", ""], "summary": [""], "license_file": ["LICENSE"],
    })  # fmt: skip

    assert core.info(found)["keywords"] == "x,y"
    assert core.info(found)["requires_dist"] == ["b>1"]
    assert core.facts(found).summary == ""
    with pytest.raises(ValueError, match="lacks name or version"):
        core.from_form({"name": ["a"]})


def test_native_documents_round_trip() -> None:
    facts = FileFacts(requires_python=">=3", core_metadata="0" * 64, yanked="why", attested=b"\x00\xff")

    assert file_facts(encode(facts)) == facts
    assert file_facts(b"") == FileFacts()


def test_a_mark_leaves_the_rest_of_a_version_alone() -> None:
    native = version_native({"name": "a", "summary": "é"})

    marked = set_yanked(native, "broken")

    assert version_facts(marked).yanked == "broken"
    assert set_yanked(marked, False) == native
    assert version_facts(set_yanked(b"", True)).yanked is True


def test_the_registry_has_the_word_on_marks_and_we_on_digests() -> None:
    stored = encode(FileFacts(requires_python=">=3", core_metadata="1" * 64, yanked="old"))
    remote = encode(FileFacts(core_metadata="2" * 64, provenance="http://p.test/"))

    merged = file_facts(refresh(stored, remote))

    assert merged == FileFacts(requires_python=">=3", core_metadata="1" * 64, provenance="http://p.test/")
    assert file_facts(refresh(b"", encode(FileFacts(yanked=True)))).yanked is True


@pytest.mark.parametrize(
    ("rest", "readme"),
    [
        (b"\n\xffcaf\xc3\xa9", "\ufffdcaf\u00e9"),
        (b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhi\n--x--\n", "--x\n\nhi\n--x--\n"),
        (b"Description: from a header\n", "from a header"),
        (b"Description: \xff\n", "\u00ff"),
    ],
)
def test_an_odd_description_is_kept(rest: bytes, readme: str) -> None:
    assert core.facts(core.from_bytes(b"Name: a\nVersion: 1\n" + rest)).readme == readme
