"""Other sparse registries: what is read of them, what is kept, what happens when they lie or go away."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.cargo import lines
from protocols.cargo.adapter import CargoAdapter
from protocols.cargo.fetch import CargoFetcher, _Source, address, read_index, template
from protocols.cargo.names import package
from registry.core.errors import UpstreamUnavailable
from registry.core.types import Absent, Remote
from tests.chains.public import PublicNpm as Outside
from tests.chains.town import settle
from tests.harness import Answer as Got
from tests.harness import Server
from tests.samples import cargo as samples
from tests.upstreams.wire import Answer, Asked

LEFT = samples.crate("Left_Pad", "1.0.0+x")
DL = "http://files.test/{crate}-{version}.crate"


def read(*found: dict[str, Any] | bytes, name: str = "left_pad") -> Remote:
    body = b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in found)
    remote = read_index(body, _Source(package(name), "http://far.test/index/", DL), {"if-none-match": '"1"'})
    assert isinstance(remote, Remote)
    return remote


def test_a_line_is_kept_as_it_came_but_for_its_mark() -> None:
    line = samples.line(
        "Left_Pad", "1.0.0+x", LEFT, future=[1, {"b": 1.50}], pubtime="2024-01-02T03:04:05Z", yanked=True
    )

    remote = read(line)

    assert (remote.display, remote.validators) == ("Left_Pad", {"if-none-match": '"1"'})
    [version] = remote.versions
    assert (version.version, version.display, version.published) == ("1.0.0", "1.0.0+x", 1704164645000)
    assert json.loads(version.native) == {key: value for key, value in line.items() if key != "yanked"}
    [file] = version.files
    assert (file.name, file.url) == ("Left_Pad-1.0.0+x.crate", "http://files.test/Left_Pad-1.0.0+x.crate")
    assert (file.digests, file.native) == ({"sha256": line["cksum"]}, lines.YANKED)


def test_lines_that_make_no_sense_are_left_out() -> None:
    good = samples.line("left_pad", "1.0.0", LEFT)

    remote = read(
        good, b"", b"nonsense", b"[]", {**good, "vers": "x"}, {**good, "vers": "1.0.1", "cksum": "zz"},
        {**good, "vers": "1.0.2", "name": "other"}, {**good, "vers": "1.0.3", "deps": [7]}, b"[" * 100_000,
        {key: value for key, value in good.items() if key != "cksum"}, b'{"name": "\xff"}',
        {**good, "vers": "1.1.0", "pubtime": "yesterday", "yanked": None},
    )  # fmt: skip

    assert [version.version for version in remote.versions] == ["1.0.0", "1.1.0"]
    assert remote.versions[1].published is None


def test_an_index_of_which_nothing_makes_sense_is_no_absence() -> None:
    with pytest.raises(UpstreamUnavailable, match="cannot be understood"):
        read(b"<html>Sign in to the hotel's network</html>")
    assert read_index(b"\n", _Source(package("left"), "http://far.test/", DL), {}) == Absent()


def test_versions_of_old_that_differ_in_build_metadata_are_both_kept() -> None:
    remote = read(samples.line("left_pad", "1.0.0+a", LEFT), samples.line("left_pad", "1.0.0+b", b"other"))

    assert [version.version for version in remote.versions] == ["1.0.0", "1.0.0+b"]


def test_a_dependency_on_the_registry_itself_becomes_one_on_ours() -> None:
    dep = {"name": "a", "req": "1", "kind": "normal", "more": 1}
    deps = [
        {**dep, "registry": "sparse+http://far.test/index/"},
        {**dep, "registry": "sparse+http://other.test/"},
        {**dep, "registry": None},
    ]

    [version] = read(samples.line("left_pad", "1.0.0", LEFT, deps=deps)).versions

    kept = json.loads(version.native)["deps"]
    assert [each["registry"] for each in kept] == [None, "sparse+http://other.test/", None]
    assert kept[0]["more"] == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_an_index_or_none(body: bytes) -> None:
    try:
        read_index(body, _Source(package("left"), "http://far.test/", DL), {})
    except UpstreamUnavailable:
        return


def test_download_addresses_are_made_as_cargo_makes_them() -> None:
    every = "http://f.test/{prefix}/{lowerprefix}/{crate}/{version}/{sha256-checksum}"
    assert address(every, "Foo_Bar", "1.0.0+x", "ab") == "http://f.test/Fo/o_/fo/o_/Foo_Bar/1.0.0+x/ab"
    plain = template(b'{"dl": "http://f.test/crates/", "more": 1}')
    assert address(plain, "a1", "1.0.0", "ab") == "http://f.test/crates/a1/1.0.0/download"
    assert template(json.dumps({"dl": every}).encode()) == every


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"dl": 7}', b'{"dl": "ftp://x/"}', b'{"dl": "http://x/ y"}'])
def test_a_configuration_that_makes_no_sense_is_no_absence(body: bytes) -> None:
    with pytest.raises(UpstreamUnavailable, match=r"config\.json"):
        template(body)


# --- the whole way -----------------------------------------------------------------------------------------


@dataclass
class Public:
    """A public registry whose every byte is ours, and a repository with a connection to it."""

    outside: Outside
    server: Server
    known: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def configure(self, template: str = "{base}files/{lowerprefix}/{crate}-{version}-{sha256-checksum}.crate") -> None:
        text = json.dumps({"dl": template.replace("{base}", self.outside.base), "api": self.outside.base}).encode()
        self.outside.wire.answers["/config.json"] = Answer(200, text)

    def add(self, name: str, version: str, file: bytes, body: bytes | None = None, **more: Any) -> None:
        line = samples.line(name, version, file, **more)
        self.known.setdefault(name, []).append(line)
        path = f"/files/{samples.path(name).rpartition('/')[0]}/{name}-{version}-{line['cksum']}.crate"
        self.outside.wire.answers[path] = Answer(200, file if body is None else body)
        self.outside.wire.answers[f"/{samples.path(name)}"] = self._index(name)

    def _index(self, name: str) -> Callable[[Asked], Answer]:
        def index(asked: Asked) -> Answer:
            text = "".join(json.dumps(line) + "\n" for line in self.known[name]).encode()
            tag = f'"{hash(text)}"'
            if asked.headers.get("if-none-match") == tag:
                return Answer(304, headers={"ETag": tag})
            return Answer(200, text, {"ETag": tag})

        return index

    def get(self, path: str, repo: str = "repo") -> Got:
        answer = self.server.get(self.server.endpoint("cargo", repo) + path, token=self.server.token())
        settle(self.server)
        return answer

    def lines(self, name: str, repo: str = "repo") -> dict[str, dict[str, Any]]:
        answer = self.get(samples.path(name), repo)
        assert answer.status == 200, answer.text
        return samples.lines(answer.body)

    def held(self, repo: str, package: str) -> list[str]:
        client = self.server.boto()
        try:
            found = client.list_package_versions(domain="dom", repository=repo, format="cargo", package=package)
        except client.exceptions.ResourceNotFoundException:
            return []
        return [each["version"] for each in found["versions"]]

    def asked(self, part: str) -> int:
        return sum(part in path for path in self.outside.wire.paths())


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Public]:
    """`repo` above `middle` above `store`, which has the connection; asked again every time."""
    with Outside() as outside:
        settings = {"upstreams": {"listing_age": 0, "negative_age": 0}}
        with Server(
            tmp_path_factory.mktemp("data"),
            settings=settings,
            connections={"public:crates-io": f"sparse+{outside.base}"},
        ) as server:
            server.make("dom", "store", "middle", "repo", middle=["store"], repo=["middle"])
            server.boto().associate_external_connection(
                domain="dom", repository="store", externalConnection="public:crates-io"
            )
            made = Public(outside, server)
            made.configure()
            yield made


def test_a_crate_comes_through_and_is_kept_at_both_ends(public: Public) -> None:
    more = 'description = "Pads"\nlicense = "MIT"\nreadme = "README.md"\n'
    files = {"Cargo.toml": samples.manifest("Inflector", "1.0.0+a", more), "README.md": b"# In"}
    file = samples.crate("Inflector", "1.0.0+a", files=files)
    deps = [{"name": "alias", "package": "real", "req": "^1", "kind": "dev", "unknown": 1}]
    public.add("Inflector", "1.0.0+a", file, deps=deps, pubtime="2024-01-02T03:04:05Z", extra={"x": 1})

    before = public.get("in/fl/inflector").body
    assert samples.lines(before)["1.0.0+a"] == public.known["Inflector"][0]
    assert public.held("repo", "inflector") == []
    assert public.get("api/v1/crates/Inflector/1.0.0+a/download").body == file

    assert [public.held(repo, "inflector") for repo in ("repo", "middle", "store")] == [["1.0.0+a"], [], ["1.0.0+a"]]
    assert public.get("in/fl/inflector").body == before
    at = {"domain": "dom", "repository": "repo", "format": "cargo", "package": "inflector", "packageVersion": "1.0.0+a"}
    aws = public.server.boto()
    shown = aws.describe_package_version(**at)["packageVersion"]
    assert (shown["displayName"], shown["summary"], shown["licenses"]) == ("Inflector", "Pads", [{"name": "MIT"}])
    assert shown["publishedTime"].isoformat().startswith("2024-01-02T03:04:05")
    assert aws.get_package_version_readme(**at)["readme"] == "# In"
    [found] = aws.list_package_version_dependencies(**at)["dependencies"]
    assert (found["package"], found["dependencyType"], found["versionRequirement"]) == ("real", "dev", "^1")


def test_an_index_is_asked_for_with_its_tag_and_the_configuration_seldom(public: Public) -> None:
    public.add("condition", "1.0.0", samples.crate("condition"))
    public.lines("condition")
    configs, before = public.asked("config.json"), len(public.outside.wire.asked)

    public.lines("condition")

    asked = public.outside.wire.asked[before:]
    assert [each.path for each in asked] == ["/co/nd/condition"]
    assert asked[0].headers["if-none-match"]
    assert public.asked("config.json") == configs


def test_yanked_marks_follow_the_registry_after_a_crate_was_kept(public: Public) -> None:
    public.add("waverer", "1.0.0", samples.crate("waverer"))
    public.get("api/v1/crates/waverer/1.0.0/download")
    assert public.lines("waverer")["1.0.0"]["yanked"] is False

    public.known["waverer"][0]["yanked"] = True
    assert public.lines("waverer")["1.0.0"]["yanked"] is True
    assert public.get("api/v1/crates/waverer/1.0.0/download").status == 200
    unyank = public.server.request(
        "PUT", public.server.endpoint("cargo") + "api/v1/crates/waverer/1.0.0/unyank", token=public.server.token()
    )
    public.known["waverer"][0]["yanked"] = False
    assert public.lines("waverer")["1.0.0"]["yanked"] is False
    assert (unyank.status, "registry that it came from" in unyank.text) == (409, True)


def test_a_file_that_is_not_what_the_index_says_is_not_kept(public: Public) -> None:
    public.add("liar", "1.0.0", samples.crate("liar"), body=samples.crate("liar", files={"x": b"evil"}))

    answers = []
    try:
        answers.append(public.get("api/v1/crates/liar/1.0.0/download").status)
    except OSError:  # broken off in the middle
        answers.append(502)
    except Exception as err:
        assert type(err).__name__ == "IncompleteRead"
        answers.append(502)

    assert answers == [502]
    assert public.held("repo", "liar") == public.held("store", "liar") == []


def test_versions_of_old_that_differ_in_build_metadata_can_both_be_had(public: Public) -> None:
    one, other = samples.crate("twin", "1.0.0+a"), samples.crate("twin", "1.0.0+b")
    public.add("twin", "1.0.0+a", one)
    public.add("twin", "1.0.0+b", other)

    assert set(public.lines("twin")) == {"1.0.0+a", "1.0.0+b"}
    assert public.get("api/v1/crates/twin/1.0.0+b/download").body == other
    assert public.get("api/v1/crates/twin/1.0.0+a/download").body == one
    assert public.get("api/v1/crates/twin/1.0.0+c/download").status == 404
    assert set(public.lines("twin")) == {"1.0.0+a", "1.0.0+b"}


@pytest.mark.parametrize("gone", [404, 410, 451])
def test_a_crate_that_the_registry_does_not_have_is_not_found(public: Public, gone: int) -> None:
    public.outside.wire.answers["/ab/se/absent"] = Answer(gone)

    assert public.get("ab/se/absent").status == 404


def test_a_registry_that_moves_its_files_is_followed_and_one_that_is_gone_is_not_missed(tmp_path: Path) -> None:
    """What was kept goes on; what was not is not missing, but cannot be had now."""
    fetcher = CargoAdapter.fetcher
    assert isinstance(fetcher, CargoFetcher)
    with Outside() as outside:
        settings = {"upstreams": {"listing_age": 0, "negative_age": 0}}
        with Server(tmp_path, settings=settings, connections={"public:crates-io": outside.base}) as server:
            server.make("dom", "repo").boto().associate_external_connection(
                domain="dom", repository="repo", externalConnection="public:crates-io"
            )
            public = Public(outside, server)
            public.configure("{base}old/{crate}")
            fetcher._known.clear()
            public.add("mover", "1.0.0", samples.crate("mover"))
            public.lines("mover")

            public.configure()
            fetcher._known.clear()  # an hour later
            assert public.get("api/v1/crates/mover/1.0.0/download").body == samples.crate("mover")

            public.known["mover"][0]["yanked"] = True
            assert public.lines("mover")["1.0.0"]["yanked"] is True
            outside.stop()

            assert public.lines("mover")["1.0.0"]["yanked"] is True
            assert public.get("api/v1/crates/mover/1.0.0/download").body == samples.crate("mover")
            unknown = public.get("un/kn/unknown")
            assert (unknown.status, "retry-after" in unknown.headers) == (502, True)
            assert unknown.json()["errors"][0]["detail"]
            outside.start()
