"""Merging over hops: pure, against slow references and the guide's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from registry.core.types import (
    Asset,
    Blob,
    Digests,
    DomainKey,
    Origin,
    Remote,
    RemoteFile,
    RemoteVersion,
    RepoKey,
    Repository,
    Status,
    Version,
    VersionKey,
)
from tests.upstreams.tiny import MANY, TINY
from tests.upstreams.world import package
from upstreams.merge import Layer, merge

EXTERNAL = Origin("EXTERNAL", connection="public:many")


def repository(index: int) -> Repository:
    return Repository(index, 1, RepoKey(DomainKey("1", "dom"), f"r{index}"), "", "1", 0)


def asset(name: str, content: str = "", mark: bytes = b"") -> Asset:
    digest = (content or name).encode().hex()
    return Asset(name, Blob(Digests(digest, digest, digest, digest), 1, "key"), mark)


def version(
    name: str,
    *assets: Asset,
    status: Status = Status.PUBLISHED,
    origin: Origin = EXTERNAL,
) -> Version:
    key = VersionKey(package(), name)
    return Version(1, 1, key, name, status, "", origin, 0, TINY.sort(name), b"", assets)


def remote(versions: Mapping[str, Sequence[RemoteFile]], tags: Mapping[str, str] | None = None) -> Remote:
    listed = tuple(RemoteVersion(name, name, b"remote", 0, tuple(files)) for name, files in versions.items())
    return Remote("pack", listed, dict(tags or {}), {})


def file(name: str, mark: bytes = b"", content: str = "") -> RemoteFile:
    return RemoteFile(name, f"http://host.test/{name}", 1, {"sha256": (content or name).encode().hex()}, mark)


def stack(*layers: Layer) -> list[Layer]:
    """Layers as a straight chain."""
    return list(layers)


VERSIONS = st.sampled_from(["1.0", "1.1", "2.0", "10.0"])
STATUSES = st.sampled_from([status for status in Status if status is not Status.DELETED])


@given(st.lists(st.tuples(st.dictionaries(VERSIONS, STATUSES), st.none() | st.sets(VERSIONS)), max_size=6))
def test_the_first_hop_that_has_a_version_wins_whatever_its_status(
    hops: list[tuple[dict[str, Status], set[str] | None]],
) -> None:
    layers, expected = [], {}
    for index, (own, listed) in enumerate(hops):
        for name, status in own.items():
            expected.setdefault(name, (status, "local" if index == 0 else f"upstream:r{index}"))
        for name in listed or ():
            expected.setdefault(name, (Status.PUBLISHED, "external:public:tiny"))
        layers.append(
            Layer(
                repository(index),
                None if index == 0 else index - 1,
                [version(name, status=status) for name, status in own.items()],
                connection="public:tiny",
                remote=remote({name: [] for name in listed}) if listed is not None else None,
            )
        )

    merged = merge(TINY, layers)

    shown = {each.version: (each.status, each.source) for each in (*merged.versions, *merged.unlisted)}
    assert shown == {k: v for k, v in expected.items() if v[0] in (Status.PUBLISHED, Status.UNLISTED)}
    assert all(each.status is Status.PUBLISHED for each in merged.versions)
    order = [each.version for each in merged.versions]
    assert order == sorted(order, key=lambda name: [int(part) for part in name.split(".")])


def layer(index: int, *versions: Version, parent: int | None = -1, **more: object) -> Layer:
    if parent == -1:
        parent = None if index == 0 else index - 1
    return Layer(repository(index), parent, versions, **more)  # type: ignore[arg-type]


def names(layers: Sequence[Layer], name: str = "1.0") -> list[str]:
    merged = merge(MANY, layers)
    return [file.name for each in merged.versions if each.version == name for file in each.files]


def test_files_of_one_version_are_gathered_over_hops_of_the_same_origin() -> None:
    layers = stack(
        layer(0, version("1.0", asset("a"))),
        layer(1, version("1.0", asset("a", "other"), asset("b"))),
        layer(2, connection="public:many", remote=remote({"1.0": [file("a"), file("c")]})),
    )

    assert names(layers) == ["a", "b", "c"]


def test_nothing_is_added_after_the_external_registry() -> None:
    layers = stack(
        layer(0, version("1.0", asset("a")), connection="public:many", remote=remote({"1.0": [file("c")]})),
        layer(1, version("1.0", asset("b"))),
    )

    assert names(layers) == ["a", "c"]


def test_a_file_that_only_the_registry_lists_is_joined_by_what_hops_further_up_have_kept() -> None:
    layers = stack(
        layer(0, connection="public:many", remote=remote({"1.0": [file("a")]})),
        layer(1, version("1.0", asset("gone"))),
    )

    assert names(layers) == ["a", "gone"]


def test_a_status_that_forbids_use_ends_the_flow() -> None:
    for status in (Status.ARCHIVED, Status.DISPOSED, Status.UNFINISHED):
        layers = stack(
            layer(0, version("1.0", asset("a"))),
            layer(1, version("1.0", asset("b"), status=status)),
            layer(2, version("1.0", asset("c"))),
        )

        assert names(layers) == ["a"]


def test_an_unlisted_version_further_up_still_gives_its_files() -> None:
    layers = stack(layer(0, version("1.0", asset("a"))), layer(1, version("1.0", asset("b"), status=Status.UNLISTED)))

    assert names(layers) == ["a", "b"]


def test_direct_publication_keeps_files_from_outside_away() -> None:
    own = Origin("INTERNAL", repository="r0")
    layers = stack(
        layer(0, version("1.0", asset("a"), origin=own)),
        layer(1, version("1.0", asset("b"))),
        layer(2, connection="public:many", remote=remote({"1.0": [file("c")]})),
    )

    assert names(layers) == ["a"]


def test_direct_publication_in_between_ends_the_flow() -> None:
    layers = stack(
        layer(0, version("1.0", asset("a"))),
        layer(1, version("1.0", asset("b"), origin=Origin("INTERNAL", repository="r1"))),
        layer(2, connection="public:many", remote=remote({"1.0": [file("c")]})),
    )

    assert names(layers) == ["a"]


def test_a_version_kept_from_an_internal_repository_grows_with_it() -> None:
    internal = Origin("INTERNAL", repository="r1")
    layers = stack(
        layer(0, version("1.0", asset("a"), origin=internal)),
        layer(1, version("1.0", asset("a"), asset("b"), origin=internal)),
        layer(2, version("1.0", asset("c"), origin=internal)),
        layer(3, connection="public:many", remote=remote({"1.0": [file("d")]})),
    )

    assert names(layers) == ["a", "b"]


def test_another_connection_adds_nothing() -> None:
    layers = stack(
        layer(0, version("1.0", asset("a"))),
        layer(1, connection="private:many", remote=remote({"1.0": [file("b")]})),
        layer(2, connection="public:many", remote=remote({"1.0": [file("c")]})),
    )

    assert names(layers) == ["a"]


def test_marks_of_stored_files_are_those_of_the_registry_now() -> None:
    held = version("1.0", asset("a", mark=b"old"), asset("b", mark=b"same"), asset("c", "changed", mark=b"mine"))
    listed = remote({"1.0": [file("a", b"yanked"), file("b", b"same"), file("c", b"theirs")]})

    merged = merge(MANY, stack(layer(0, held), layer(1, connection="public:many", remote=listed)))

    assert [each.native for each in merged.versions[0].files] == [b"yanked", b"same", b"mine"]
    assert merged.renewed == {"1.0": {"a": b"yanked"}}


def test_a_format_of_single_files_takes_nothing_from_further_hops() -> None:
    layers = stack(layer(0, version("1.0", asset("a"))), layer(1, version("1.0", asset("b"))))

    assert [file.name for file in merge(TINY, layers).versions[0].files] == ["a"]


ONE, TWO = version("1.0"), version("2.0")


def test_different_tags_of_repository_and_upstream_are_joined() -> None:
    layers = stack(layer(0, ONE, tags={"latest": "1.0"}), layer(1, TWO, tags={"alpha": "2.0"}))

    assert merge(TINY, layers).tags == {"latest": "1.0", "alpha": "2.0"}


def test_of_the_same_tag_that_of_the_upstream_counts() -> None:
    layers = stack(layer(0, ONE, tags={"latest": "1.0"}), layer(1, TWO, tags={"latest": "2.0"}))

    assert merge(TINY, layers).tags == {"latest": "2.0"}


def test_a_tag_of_a_version_that_is_not_listed_gives_way() -> None:
    hidden = version("2.0", status=Status.ARCHIVED)
    layers = stack(layer(0, ONE, hidden, tags={"latest": "1.0"}), layer(1, TWO, tags={"latest": "2.0", "x": "2.0"}))

    assert merge(TINY, layers).tags == {"latest": "1.0"}


def test_of_two_upstreams_the_tag_of_the_first_counts_with_its_own_upstreams_before_it() -> None:
    third = version("3.0")
    layers = [
        layer(0, ONE, TWO, third, tags={"latest": "1.0"}),
        layer(1, tags={"latest": "2.0"}, parent=0),
        layer(2, tags={"latest": "3.0"}, parent=1),
        layer(3, tags={"latest": "1.0", "next": "2.0"}, parent=0),
    ]

    assert merge(TINY, layers).tags == {"latest": "3.0", "next": "2.0"}


def test_the_tags_of_an_external_registry_count_as_those_of_an_upstream() -> None:
    listed = remote({"9.0": []}, {"latest": "9.0"})
    layers = stack(layer(0, ONE, tags={"latest": "1.0"}, connection="public:tiny", remote=listed))

    assert merge(TINY, layers).tags == {"latest": "9.0"}


def test_nothing_is_made_of_nothing() -> None:
    assert merge(TINY, []).tags == {}
    assert merge(TINY, [layer(0)]).versions == ()
