"""Packuments of other registries, sound and unsound."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.npm import manifest, names
from protocols.npm.fetch import ATTESTATIONS, NpmFetcher, read_packument
from registry.core.errors import UpstreamUnavailable
from registry.core.types import Absent, Digests, NotModified, PackageKey, Remote, Staged
from tests.samples import npm

BAR = PackageKey("npm", "acme", "bar")
URL = "http://far:1/npm/@acme%2fbar"
TGZ = npm.tarball("@acme/bar", files={"README.md": "# In the tarball"})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


def document(**changes: Any) -> dict[str, Any]:
    found = npm.packument("@acme/bar", {"1.0.0": TGZ, "2.0.0-rc.1": TGZ, "1.1.0": TGZ}, base="http://far:1/npm/")
    return {**found, **changes}


def read(found: Mapping[str, Any] | bytes) -> Remote:
    remote = read_packument(found if isinstance(found, bytes) else json.dumps(found).encode(), BAR, url=URL)
    assert isinstance(remote, Remote)
    return remote


def test_versions_tags_times_digests_and_addresses_are_read() -> None:
    remote = read(document())

    assert remote.display == "@acme/bar"
    assert remote.tags == {"latest": "1.1.0"}
    one = remote.versions[0]
    assert (one.version, one.published) == ("1.0.0", 1704078245678)
    [file] = one.files
    assert (file.name, file.url) == ("package.tgz", "http://far:1/npm/@acme/bar/-/bar-1.0.0.tgz")
    assert list(file.digests) == ["sha512", "sha1"]
    full = json.loads(manifest.unpack(one.native).full.replace(manifest.BASE, b"R/"))
    assert full["dist"]["tarball"] == "R/@acme/bar/-/bar-1.0.0.tgz"
    assert full["dist"]["signatures"] == [{"keyid": "SHA256:abc", "sig": "MEUCIQ=="}]
    readmes = [manifest.unpack(version.native).readme for version in remote.versions]
    assert readmes == [b"", b"", b'"# @acme/bar\\n"']


def test_a_version_that_makes_no_sense_is_left_out() -> None:
    found = document()
    good = found["versions"]["1.0.0"]
    found["versions"] |= {
        "1.2.0": {**good, "version": "1.2.0", "dist": None},
        "1.2.1": {**good, "version": "1.2.1", "dist": {"integrity": "sha512-x"}},
        "1.2.2": {**good, "version": "1.2.2", "dist": {"tarball": "file:///etc/passwd"}},
        "1.2.3": {**good, "version": "1.2.3", "name": "other"},
        "1.2.4": {**good, "version": "9.9.9"},
        "1.2.5": "text",
        "1.2.6": {**good, "version": "1.2.6", "dist": {**good["dist"], "integrity": "sha512-!!", "shasum": "zz"}},
        "not a version": good,
        "x" * 400: good,
    }

    assert [version.version for version in read(found).versions] == ["1.0.0", "2.0.0-rc.1", "1.1.0"]


def test_missing_extras_do_no_harm() -> None:
    found = document(time=None, readme=7, **{"dist-tags": ["latest"]})
    del found["name"]
    for each in found["versions"].values():
        del each["name"], each["version"], each["dist"]["integrity"]

    remote = read(found)

    assert [version.published for version in remote.versions] == [None] * 3
    assert remote.tags == {}
    assert list(remote.versions[0].files[0].digests) == ["sha1"]
    assert json.loads(manifest.unpack(remote.versions[0].native).abbreviated.replace(b"\0", b""))["name"] == "@acme/bar"


def test_loose_spellings_are_understood_and_the_canonical_one_wins() -> None:
    found = document()
    good = found["versions"]["1.0.0"]
    loose = {
        "v1.0.0": {**good, "version": "v1.0.0", "description": "loose"},
        "3.0.0beta": {**good, "version": "3.0.0beta"},
    }
    found["versions"] = {**loose, **found["versions"]}

    remote = read(found)

    shown = {version.version: version.display for version in remote.versions}
    assert shown["1.0.0"] == "1.0.0"
    assert shown["3.0.0-beta"] == "3.0.0beta"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>sign in</html>",
        b"[]",
        b"null",
        b'{"versions":[]}',
        b'{"versions":"x"}',
        b"{}",
        b'{"name":"other","versions":{}}',
        b'{"versions":{"1.0.0":{}}}',
        b'{"versions":{"1.0.0":' + b"[" * 100_000,
        b'{"name":"@acme/bar","versions":{"1.0.0":',
    ],
)
def test_nonsense_is_unavailable_and_never_absent(body: bytes) -> None:
    with pytest.raises(UpstreamUnavailable):
        read_packument(body, BAR, url=URL)


@pytest.mark.parametrize(
    "found", [{"versions": {}}, {"name": "@acme/bar", "time": {"unpublished": {"time": "2020-01-01T00:00:00Z"}}}]
)
def test_a_package_whose_versions_were_all_unpublished_is_absent(found: dict[str, Any]) -> None:
    assert read_packument(json.dumps(found).encode(), BAR, url=URL) == Absent()


@given(
    st.dictionaries(
        st.sampled_from(["name", "versions", "time", "dist-tags", "readme"]),
        json_values | st.dictionaries(st.sampled_from(["1.0.0", "latest", "x"]), json_values, max_size=3),
    ),
    st.dictionaries(st.sampled_from(["name", "version", "dist", "bin", "scripts", "deprecated"]), json_values),
    st.dictionaries(st.sampled_from(["tarball", "integrity", "shasum", "attestations"]), json_values),
)
def test_any_json_is_read_or_refused(root: dict[str, Any], version: dict[str, Any], dist: dict[str, Any]) -> None:
    for found in (root, document(**root), document(versions={"1.0.0": {**version, "dist": dist}})):
        try:
            remote = read_packument(json.dumps(found).encode(), BAR, url=URL)
        except UpstreamUnavailable:
            continue
        for each in remote.versions if isinstance(remote, Remote) else ():
            json.loads(manifest.unpack(each.native).full.replace(manifest.BASE, b""))


class Far:
    """An Http that gives one answer and notes what it was asked."""

    base = "http://far:1/npm/"

    def __init__(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.status, self.headers, self.url, self._body = status, headers, URL, body
        self.asked: list[tuple[str, dict[str, str]]] = []

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Far]:
        self.asked.append((url, dict(headers or {})))
        yield self

    async def body(self, limit: int) -> bytes:
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._body


async def test_the_full_form_is_asked_for_with_validators() -> None:
    far = Far(200, json.dumps(document()).encode(), etag='W/"abc"')

    remote = await NpmFetcher().listing(far, BAR, {"if-none-match": '"old"'})

    assert isinstance(remote, Remote)
    assert remote.validators == {"if-none-match": 'W/"abc"'}
    assert far.asked == [("@acme%2fbar", {"accept": "application/json", "if-none-match": '"old"'})]


async def test_answers_other_than_a_document() -> None:
    fetcher = NpmFetcher()

    assert await fetcher.listing(Far(304), BAR, {"if-none-match": "x"}) == NotModified()
    assert await fetcher.listing(Far(404), BAR, {}) == Absent()
    for status in (304, 401, 403, 418, 451):
        with pytest.raises(UpstreamUnavailable):
            await fetcher.listing(Far(status), BAR, {})


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    path = tmp_path / "x.tgz"
    path.write_bytes(TGZ)
    return Staged(Digests("0" * 32, "1" * 40, "2" * 64, "3" * 128), len(TGZ), path)


async def test_a_draft_has_facts_tags_time_and_the_readme_of_the_tarball(staged: Staged) -> None:
    found = document()
    found["versions"]["1.0.0"] |= {"description": "A bar", "dependencies": {"left": "^1"}}
    del found["versions"]["1.0.0"]["dist"]["integrity"]
    remote = read(found)
    fetcher = NpmFetcher()

    one = await fetcher.draft(BAR, remote, remote.versions[0], {names.ASSET: staged})
    latest = await fetcher.draft(BAR, remote, remote.versions[2], {names.ASSET: staged})

    assert (one.facts.summary, one.facts.readme) == ("A bar", "# In the tarball")
    assert one.published == 1704078245678
    assert one.tags == {}
    assert latest.tags == {"latest": "1.1.0"}
    assert latest.facts.readme == "# @acme/bar\n"
    dist = json.loads(manifest.unpack(one.native).full.replace(b"\0", b""))["dist"]
    assert dist["integrity"].startswith("sha512-MzMz")
    assert [asset.name for asset in one.assets] == ["package.tgz"]


def test_attestations_are_a_sidecar() -> None:
    found = document()
    found["versions"]["1.0.0"]["dist"]["attestations"] = {"url": "/-/npm/v1/attestations/x", "provenance": {}}
    one, other, _ = read(found).versions

    sidecar = NpmFetcher().sidecar(one, ATTESTATIONS)

    assert sidecar is not None
    assert sidecar.url == "http://far:1/-/npm/v1/attestations/x"
    assert NpmFetcher().sidecar(other, ATTESTATIONS) is None
    assert NpmFetcher().sidecar(one, "package.tgz") is None
