"""Simple index pages of other registries."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.pypi import offered, project, render
from protocols.pypi.fetch import PyPIFetcher
from protocols.pypi.names import canonical_version, sort_key
from protocols.pypi.native import FileFacts, ProjectStatus, VersionFacts, encode, file_facts, version_facts
from protocols.pypi.offered import Page, from_html, from_json, remote
from registry.core.types import Listed, ListedFile, Listing, PackageKey, Remote, Stamp, Status

URL = "http://index.test/simple/foo/"
SHA = "0123456789abcdef" * 4


def page(*files: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "foo", "files": list(files), **more}).encode()


def file(filename: str = "foo-1.0-py3-none-any.whl", **more: Any) -> dict[str, Any]:
    return {"filename": filename, "url": f"../../files/{filename}", "hashes": {"sha256": SHA}, **more}


def of(found: Page, **validators: str) -> Remote:
    return remote(found, "foo", validators)


def test_a_json_page_gives_files_by_release() -> None:
    body = page(
        file(
            size=5,
            **{"upload-time": "2026-01-01T00:00:00.5Z", "requires-python": ">=3", "core-metadata": {"sha256": SHA}},
        ),
        file(
            "foo-1.0.0.tar.gz", yanked="broken", provenance="http://p.test/x", **{"upload-time": "2025-01-01T00:00:00Z"}
        ),
        file("foo-2.0.tar.gz", url="http://files.test/a/foo-2.0.tar.gz#sha256=x", **{"gpg-sig": True}),
        versions=["1.0.0", "2.0"],
    )

    found = of(from_json(body, URL, "foo"), etag="x")

    first, second = found.versions
    assert (first.version, first.display, second.version, second.display) == ("1", "1.0.0", "2", "2.0")
    assert first.published == 1735689600000
    wheel, sdist = first.files
    assert wheel.url == "http://index.test/files/foo-1.0-py3-none-any.whl"
    assert (wheel.size, wheel.uploaded, wheel.digests) == (5, 1767225600500, {"sha256": SHA})
    assert file_facts(wheel.native) == FileFacts(requires_python=">=3", core_metadata=SHA)
    assert file_facts(sdist.native) == FileFacts(yanked="broken", provenance="http://p.test/x")
    assert second.files[0].url == "http://files.test/a/foo-2.0.tar.gz"
    assert file_facts(second.files[0].native).gpg_sig is True


def test_one_odd_file_does_not_spoil_the_page() -> None:
    odd: list[Any] = [
        {"filename": "foo-1.tar.gz"}, {"filename": 3, "url": "x"}, file(url="file:///etc/passwd"),
        file("../x-1.tar.gz"),
        file("foo-1.exe"), file("other-1.0.tar.gz"), file("foo-1.0-py3-none-any.whl"), file(), "text", None,
        file("foo-1.1.tar.gz", hashes={"sha256": "zz", "md5": "A" * 32}, size=-1, **{"upload-time": "soon"}),
    ]  # fmt: skip

    found = of(from_json(page(*odd), URL, "foo"))

    assert [each.name for version in found.versions for each in version.files] == [
        "foo-1.0-py3-none-any.whl", "foo-1.1.tar.gz"
    ]  # fmt: skip
    last = found.versions[1].files[0]
    assert (last.digests, last.size, last.uploaded) == ({"md5": "a" * 32}, None, None)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"<html>", b'{"files": {}}', page(meta={"api-version": "2.0"}), page(name="other"),
     b'{"files":' + b"[" * 10_000],
)  # fmt: skip
def test_json_that_is_no_index_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(body, URL, "foo")


@pytest.mark.parametrize("said", [True, {}, {"md5": "x"}, {"sha256": "short"}])
def test_metadata_is_announced_only_with_its_digest(said: object) -> None:
    found = of(from_json(page(file(**{"core-metadata": said})), URL, "foo"))

    assert file_facts(found.versions[0].files[0].native).core_metadata is None
    assert PyPIFetcher().sidecar(found.versions[0], "foo-1.0-py3-none-any.whl.metadata") is None


def test_documents_beside_a_file_have_addresses() -> None:
    one = file(url="http://f.test/foo-1.0-py3-none-any.whl?token=a", provenance="http://p.test/x",
                   **{"data-dist-info-metadata": {"sha256": SHA}, "gpg-sig": True})  # fmt: skip
    version = of(from_json(page(one), URL, "foo")).versions[0]
    name = one["filename"]
    fetcher = PyPIFetcher()

    metadata = fetcher.sidecar(version, f"{name}.metadata")
    assert metadata is not None
    assert (metadata.url, metadata.digests) == (f"http://f.test/{name}.metadata?token=a", {"sha256": SHA})
    provenance = fetcher.sidecar(version, f"{name}.provenance")
    assert provenance is not None
    assert provenance.url == "http://p.test/x"
    signature = fetcher.sidecar(version, f"{name}.asc")
    assert signature is not None
    assert signature.url == f"http://f.test/{name}.asc?token=a"
    assert fetcher.sidecar(version, f"{name}.other") is None
    assert fetcher.sidecar(version, "absent.whl.metadata") is None


def test_a_page_beyond_all_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offered, "MAX_FILES", 1)

    with pytest.raises(ValueError, match="more than 1 files"):
        from_json(page(file(), file()), URL, "foo")
    with pytest.raises(ValueError, match="more than 1 files"):
        from_html(HTML.encode(), URL, "foo")


def test_odd_spellings_of_versions_and_addresses_are_passed_over() -> None:
    body = page(file(provenance="ftp://p.test/x"), file("bar-1.0-py3-none-any.whl"), versions=["", "a b", "1.0.0"])

    found = of(from_json(body, URL, "foo"))

    assert [version.display for version in found.versions] == ["1.0.0"]
    assert file_facts(found.versions[0].files[0].native).provenance is None


def listing(*versions: Listed) -> Listing:
    return Listing(PackageKey("pypi", None, "foo"), "foo", versions, (), {}, Stamp(1))


def listed(native: bytes = b"", facts: FileFacts | None = None, *, name: str = "foo-1.0.tar.gz") -> Listed:
    found = ListedFile(name, 5, {"sha256": SHA}, encode(facts or FileFacts()))
    return Listed("1", "1.0", Status.PUBLISHED, native, (found,), 0, sort_key("1"))


def test_pages_tell_a_project_status_and_provenance() -> None:
    native = encode(VersionFacts(project_status=ProjectStatus("archived", "moved <on>")))
    shown = listing(listed(native, FileFacts(provenance="http://p.test/x")))

    found = json.loads(render.project_json(shown, "http://h.test/r/"))
    html = render.project_html(shown, "http://h.test/r/").decode()

    assert found["meta"]["api-version"] == "1.4"
    assert found["project-status"] == {"status": "archived", "reason": "moved <on>"}
    assert found["files"][0]["provenance"] == "http://h.test/r/simple/foo/1.0/foo-1.0.tar.gz.provenance"
    assert "upload-time" not in found["files"][0]
    assert 'name="pypi:project-status-reason" content="moved &lt;on&gt;"' in html
    assert 'data-provenance="http://h.test/r/simple/foo/1.0/foo-1.0.tar.gz.provenance"' in html
    again = from_html(html.encode(), URL, "foo")
    assert again.status == ProjectStatus("archived", "moved <on>")


def test_odd_names_are_quoted_and_escaped() -> None:
    shown = listing(listed(name="foo-1.0&é'.tar.gz"))

    html = render.project_html(shown, "http://h.test/r/").decode()

    assert 'href="1.0/foo-1.0%26%C3%A9%27.tar.gz#sha256=' in html
    assert "foo-1.0&amp;é&#x27;.tar.gz</a>" in html


def test_the_newest_release_stands_for_the_project() -> None:
    def version(text: str, *, yanked: bool = False) -> Listed:
        found = ListedFile(f"foo-{text}.tar.gz", 5, {}, encode(FileFacts(yanked=yanked)))
        return Listed(text, text, Status.PUBLISHED, b"", (found,), 0, sort_key(text))

    def newest(*versions: Listed) -> str | None:
        found = project.newest(versions)
        return None if found is None else found.display

    assert newest() is None
    assert newest(version("legacy!"), version("1.0"), version("2.0b1")) == "1.0"
    assert newest(version("1.0"), version("2.0", yanked=True)) == "1.0"
    assert newest(version("1.0b1")) == "1.0b1"
    assert newest(version("1.0", yanked=True)) == "1.0"
    assert newest(version("legacy!")) == "legacy!"


def test_a_document_lists_files_that_only_others_understand() -> None:
    shown = listed(name="foo-1.0.exe")

    found = json.loads(project.document(listing(shown), shown, "http://h/", info={}, description="", whole=True))

    assert found["urls"][0]["packagetype"] == "sdist"
    assert found["urls"][0]["upload_time"] is None


def test_a_quarantined_project_offers_nothing() -> None:
    status = {"status": "quarantined", "reason": "malware"}

    assert of(from_json(page(file(), **{"project-status": status}), URL, "foo")).versions == ()


def test_another_project_status_is_passed_on() -> None:
    found = of(from_json(page(file(), **{"project-status": {"status": "archived"}}), URL, "foo"))

    assert version_facts(found.versions[0].native).project_status is not None


HTML = f"""<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.1">
<title>Links for foo</title></head><body>
<a href="/files/foo-1.0-py3-none-any.whl#sha256={SHA}" data-requires-python="&gt;=3.8"
 data-yanked=""
 data-dist-info-metadata="sha256={SHA}">foo-1.0-py3-none-any.whl</a><br/>
<a href="foo-1.1.tar.gz#md5={"a" * 32}" data-yanked="bad &amp; old" data-gpg-sig="true">foo-1.1.tar.gz</a>
<a href="javascript:alert(1)">foo-9.9.tar.gz</a><a>no address</a><a href="sub%2Ffoo-8.tar.gz">x</a>
<a href="foo-1.2%2Blocal.tar.gz">foo</a></body></html>"""


def test_an_html_page_gives_the_same() -> None:
    found = of(from_html(HTML.encode(), URL, "foo"))

    assert [version.version for version in found.versions] == ["1", "1.1", "1.2+local"]
    wheel = found.versions[0].files[0]
    assert wheel.url == "http://index.test/files/foo-1.0-py3-none-any.whl"
    assert wheel.digests == {"sha256": SHA}
    assert file_facts(wheel.native) == FileFacts(requires_python=">=3.8", core_metadata=SHA, yanked=True)
    sdist = found.versions[1].files[0]
    assert sdist.url == "http://index.test/simple/foo/foo-1.1.tar.gz"
    assert sdist.digests == {"md5": "a" * 32}
    assert file_facts(sdist.native) == FileFacts(yanked="bad & old", gpg_sig=True)


def test_a_base_tag_moves_relative_addresses() -> None:
    body = b'<html><head><base href="http://cdn.test/x/"></head><a href="foo-1.0.tar.gz">foo-1.0.tar.gz</a></html>'

    assert of(from_html(body, URL, "foo")).versions[0].files[0].url == "http://cdn.test/x/foo-1.0.tar.gz"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><body><h1>Sign in</h1><a href='/login'>log in</a></body></html>", b"\x00\x01", b"plain words",
     b"<html><head><title>Links for bar</title></head></html>",
     b'<html><head><meta name="pypi:repository-version" content="2.0"></head></html>',
     b'<html><a href="bar-1.0.tar.gz">bar-1.0.tar.gz</a></html>'],
)  # fmt: skip
def test_a_web_page_is_not_an_empty_index(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_html(body, URL, "foo")


@pytest.mark.parametrize(
    "body",
    [b"<html><head><title>Links for foo</title></head></html>", b"<title>Links for Foo</title>",
     b'<html><head><meta name="pypi:repository-version" content="1.0"></head></html>'],
)  # fmt: skip
def test_an_empty_index_can_be_told(body: bytes) -> None:
    assert of(from_html(body, URL, "foo")).versions == ()


def test_an_html_page_reaches_for_nothing() -> None:
    body = b'<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]><title>Links for foo</title><a href="&x;">&x;</a>'

    assert of(from_html(body, URL, "foo")).versions == ()


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_any_bytes_are_a_page_or_refused(noise: bytes) -> None:
    for body in (noise, HTML.encode()[:200] + noise, page(file())[:-2] + noise):
        for parse in (from_html, from_json):
            try:
                of(parse(body, URL, "foo"))
            except ValueError:
                continue


filenames = st.sampled_from(
    ["foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz", "Foo-2.0b1.zip", "foo-2!3.0+l.1.tar.gz", "foo-2004c.tar.gz"]
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).map(str.strip)
listed_files = st.builds(
    lambda name, size, facts: (name, size, facts),
    filenames,
    st.one_of(st.none(), st.integers(0, 10**12)),
    st.builds(
        FileFacts,
        requires_python=st.one_of(st.none(), texts.filter(bool)),
        core_metadata=st.sampled_from([None, SHA]),
        yanked=st.one_of(st.booleans(), texts.filter(bool)),
        gpg_sig=st.sampled_from([None, True, False]),
    ),
)


@given(st.lists(listed_files, unique_by=lambda each: each[0], min_size=1))
def test_parse_after_render_is_the_identity(files: list[tuple[str, int | None, FileFacts]]) -> None:
    from protocols.pypi.names import parse_filename

    versions: dict[str, list[ListedFile]] = {}
    for name, size, facts in files:
        key = canonical_version(parse_filename(name, "foo").version)
        versions.setdefault(key, []).append(ListedFile(name, size, {"sha256": SHA}, encode(facts), 1767225600123))
    shown = listing(
        *(
            Listed(key, key, Status.PUBLISHED, encode(VersionFacts()), tuple(found), 0, sort_key(key))
            for key, found in sorted(versions.items(), key=lambda each: sort_key(each[0]))
        )
    )

    for body, parse in (
        (render.project_json(shown, "http://h.test/r/"), from_json),
        (render.project_html(shown, "http://h.test/r/"), from_html),
    ):
        found = {each.name: each for version in of(parse(body, URL, "foo")).versions for each in version.files}
        assert set(found) == {name for name, _, _ in files}
        for name, size, facts in files:
            assert file_facts(found[name].native) == facts
            assert found[name].digests == {"sha256": SHA}
            assert found[name].url.startswith(URL)
            if parse is from_json:
                assert (found[name].size, found[name].uploaded) == (size, 1767225600123)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T00:00:00Z"])
def test_a_time_that_cannot_be_written_counts_as_none(time: str) -> None:
    file = {"filename": "a-1.tar.gz", "url": "x", "upload-time": time, "size": 10**30}
    page = from_json(json.dumps({"files": [file]}).encode(), "http://host/simple/a/", "a")

    assert (page.offers[0].uploaded, page.offers[0].size) == (None, None)
