"""Paths of the repository layout."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.maven import names
from protocols.maven.names import Build, File, Metadata
from registry.core.errors import Validation
from registry.core.types import PackageKey

LIB = PackageKey("maven", "com.acme", "lib")


@pytest.mark.parametrize(
    ("path", "version", "name"),
    [
        ("com/acme/lib/1.0/lib-1.0.jar", "1.0", "lib-1.0.jar"),
        ("com/acme/lib/1.0%2B5/lib-1.0%2B5.jar", "1.0+5", "lib-1.0+5.jar"),
        ("com/acme/lib/1.0/other_2.12-1.0.jar", "1.0", "other_2.12-1.0.jar"),
        ("com/acme/lib/1.0-SNAPSHOT/lib-1.0-20210728.194552-7-sources.jar", "1.0-20210728.194552-7",
         "lib-1.0-20210728.194552-7-sources.jar"),
        ("com/acme/lib/1.0-20210728.194552-7/lib-1.0-20210728.194552-7.pom", "1.0-20210728.194552-7",
         "lib-1.0-20210728.194552-7.pom"),
        ("com/acme/lib/SNAPSHOT/lib-20210728.194552-7.pom", "20210728.194552-7", "lib-20210728.194552-7.pom"),
    ],
)  # fmt: skip
def test_a_file_is_of_the_version_that_its_path_and_name_tell(path: str, version: str, name: str) -> None:
    for ending in ("", ".md5", ".sha1", ".sha256", ".sha512"):
        found = names.parse(path + ending)

        assert isinstance(found.target, File)
        assert (found.target.package, found.target.key.version, found.target.name) == (LIB, version, name)
        assert found.algorithm == (ending[1:] or None)
        assert not found.target.literal
        assert names.belongs(found.target)


def test_metadata_is_of_a_snapshot_an_artifact_or_a_group() -> None:
    assert names.parse("com/acme/lib/1.0-SNAPSHOT/maven-metadata.xml").target == Metadata(None, LIB, "1.0-SNAPSHOT")
    assert names.parse("com/acme/lib/maven-metadata.xml.sha1").target == Metadata("com.acme.lib", LIB)
    dotted = PackageKey("maven", "com.acme", "lib_2.12")
    assert names.parse("com/acme/lib_2.12/maven-metadata.xml").target == Metadata(None, dotted)
    assert names.parse("acme/maven-metadata.xml").target == Metadata("acme", None)


def test_a_snapshot_s_name_without_a_build_stands_for_the_last_one() -> None:
    found = names.parse("com/acme/lib/1.0-SNAPSHOT/lib-1.0-SNAPSHOT.jar").target

    assert isinstance(found, File)
    assert found.literal


@pytest.mark.parametrize(
    "path",
    ["", "maven-metadata.xml", "a", "a/b", "a/b/c", "archetype-catalog.xml",
     ".meta/prefixes.txt", "com.acme/lib/1/l-1.jar",
     "a//1/b-1.jar", "a/b/1/b:1.jar", "a/b/1/b-1.jar\x7f", "a/b%2fc/1/b-1.jar", "a/b/1/b%5c-1.jar", "a/b/1 0/b-1.jar",
     f"a/b/1/{'x' * 256}"],
)  # fmt: skip
def test_what_is_not_of_the_layout_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        names.parse(path)


@pytest.mark.parametrize("name", ["lib-2.0.jar", "lib.jar", "1.0.jar", "lib-1.0", "-1.0.jar", "lib-1.01.jar"])
def test_a_file_whose_name_does_not_tell_its_version_does_not_belong_to_it(name: str) -> None:
    assert not names.belongs(File(LIB, "1.0", name))


def test_only_the_plain_pom_describes_a_version() -> None:
    assert names.is_pom(File(LIB, "1.0", "lib-1.0.pom"))
    assert not names.is_pom(File(LIB, "1.0", "lib-1.0-build.pom"))
    assert not names.is_pom(File(LIB, "1.0", "lib-1.0.pom.asc"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lib-1.0.jar", ("", "jar")),
        ("lib-1.0-sources.jar", ("sources", "jar")),
        ("lib-1.0.tar.gz", ("", "tar.gz")),
        ("lib-1.0-bin.tar.gz", ("bin", "tar.gz")),
        ("lib-1.0-bin.tar.gz.asc", ("bin", "tar.gz.asc")),
        ("lib-1.0-jdk1.5.jar", ("jdk1.5", "jar")),
        ("lib-2.0.jar", None),
        ("-1.0.jar", None),
    ],
)
def test_classifier_and_extension_are_told_from_the_name(name: str, expected: tuple[str, str] | None) -> None:
    assert names.ending(name, "1.0") == expected


@given(st.from_regex(r"[a-z0-9.]{0,8}", fullmatch=True), st.integers(0, 999999))
def test_builds_and_their_versions_are_two_spellings_of_one_thing(base: str, number: int) -> None:
    build = Build(base, "20210728.194552", number)

    assert names.build_of(build.version) == build
    assert names.build_of(build.snapshot) is None
    assert names.is_snapshot(build.snapshot)


@given(st.text(max_size=60))
def test_no_path_makes_the_parser_stumble(path: str) -> None:
    with contextlib.suppress(ValueError, Validation):
        names.parse(path.encode("utf-8", "surrogatepass").decode("latin-1"))


@pytest.mark.parametrize("group", [None, "", "a..b", ".a", "a.", "a b", "a/b"])
def test_a_package_needs_a_group_that_is_a_path(group: str | None) -> None:
    with pytest.raises(ValueError, match=r"."):
        names.canonical(group, "lib")
