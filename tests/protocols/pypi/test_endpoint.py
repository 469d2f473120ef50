"""The endpoint as raw requests see it."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from protocols.pypi import pages
from tests.harness import Answer, Pair, Server
from tests.samples import pypi as samples
from tests.samples.pypi import Project

JSON = "application/vnd.pypi.simple.v1+json"
WHEEL = "sample_pkg-1.0.0-py3-none-any.whl"


class Fresh(Server):
    """A repository of its own on the module's server, under the name `repo` for the helpers here."""

    def __init__(self, running: Server, repo: str) -> None:
        self.__dict__ = running.__dict__ | {"repo": repo}

    def endpoint(self, format: str, repo: str = "repo", domain: str = "dom", *, token: str | None = None) -> str:
        return super().endpoint(format, self.repo if repo == "repo" else repo, domain, token=token)


_numbers = itertools.count()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Starting a server takes longer than a test: one for all of them."""
    with Server(tmp_path_factory.mktemp("data")) as server:
        yield server.make("dom")


@pytest.fixture(scope="module")
def aws(running: Server) -> Any:
    """Making a client takes long too."""
    return running.boto()


@pytest.fixture
def server(running: Server, aws: Any) -> Fresh:
    name = f"repo{next(_numbers)}"
    aws.create_repository(domain="dom", repository=name)
    return Fresh(running, name)


def send(server: Server, content_type: str, body: bytes, *, repo: str = "repo", domain: str = "dom") -> Answer:
    return server.request(
        "POST",
        server.endpoint("pypi", repo, domain),
        body=body,
        headers={"Content-Type": content_type},
        token=server.token(domain),
    )


def publish(server: Server, project: Project, build: Callable[[Project], tuple[str, bytes]] = samples.wheel,
            repo: str = "repo", domain: str = "dom", **changed: str | None) -> Answer:  # fmt: skip
    filename, body = build(project)
    return send(server, *samples.upload(project, filename, body, **changed), repo=repo, domain=domain)


def get(server: Server, path: str, **headers: str) -> Answer:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.get(server.endpoint("pypi") + path, token=server.token(), headers=sent)


def page(server: Server, name: str = "sample-pkg") -> dict[str, Any]:
    answer = get(server, f"simple/{name}/", accept=JSON)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def problem(answer: Answer, status: int) -> str:
    """The message of an error, in the form that every client can show."""
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["detail"] == body["message"]
    assert body["title"]
    return str(body["detail"])


# --- uploads ---------------------------------------------------------------------------------


def test_an_upload_takes_the_address_with_and_without_slash(server: Fresh) -> None:
    content_type, body = samples.upload(Project(), *samples.wheel(Project()))
    without = server.endpoint("pypi").rstrip("/")

    answer = server.request("POST", without, body=body, headers={"Content-Type": content_type}, token=server.token())

    assert answer.status == 200
    assert page(server)["files"][0]["filename"] == WHEEL


def test_the_same_bytes_again_succeed_and_change_nothing(server: Fresh) -> None:
    publish(server, Project())
    before = get(server, "simple/sample-pkg/", accept=JSON)

    assert publish(server, Project(), summary="Another summary").status == 200

    after = get(server, "simple/sample-pkg/", accept=JSON)
    assert (after.headers["etag"], after.body) == (before.headers["etag"], before.body)


def test_other_bytes_under_the_same_name_are_a_conflict(server: Fresh) -> None:
    publish(server, Project())

    said = problem(publish(server, Project(code="VALUE = 2\n")), 409)

    assert WHEEL in said
    assert page(server)["files"][0]["hashes"]["sha256"] == hashlib.sha256(samples.wheel(Project())[1]).hexdigest()


def test_1_0_and_1_0_0_are_one_release(server: Fresh) -> None:
    publish(server, Project(version="1.0.0"))
    publish(server, Project(version="1.0"), samples.sdist)

    assert page(server)["versions"] == ["1.0.0"]
    assert len(page(server)["files"]) == 2


@pytest.mark.parametrize("field", ["md5_digest", "sha256_digest", "blake2_256_digest"])
def test_a_wrong_digest_is_refused_and_stores_nothing(field: str, server: Fresh) -> None:
    said = problem(publish(server, Project(), **{field: "0" * 64}), 400)

    assert field in said
    assert get(server, "simple/sample-pkg/").status == 404


def test_digests_in_capitals_and_none_at_all_are_fine(server: Fresh) -> None:
    _, body = samples.wheel(Project())
    capital = hashlib.sha256(body).hexdigest().upper()

    assert publish(server, Project(), sha256_digest=capital, blake2_256_digest="").status == 200
    assert publish(server, Project(), samples.sdist, sha256_digest=None, blake2_256_digest=None).status == 200


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "other"}, "form says name 'other'"),
        ({"version": "2.0"}, "form says version '2.0'"),
        ({"version": "not a version"}, "PEP 440"),
        ({"name": "-bad-"}, "not a Python package name"),
        ({"action_": "submit"}, "file_upload"),
        ({"protocol_version": "2"}, "protocol_version"),
        ({"attestations": "{}"}, "attestations"),
    ],
)
def test_a_form_that_disagrees_is_refused(changed: dict[str, str], message: str, server: Fresh) -> None:
    filename, body = samples.wheel(Project())
    fields = [(name, value) for name, value in samples.form(Project(), filename, body) if name not in changed]
    fields += [(name.replace("action_", ":action"), value) for name, value in changed.items()]
    fields = [f for i, f in enumerate(fields) if not (f[0] == ":action" and "action_" in changed and i == 0)]

    assert message in problem(send(server, *samples.multipart(fields, [("content", filename, body)])), 400)
    assert get(server, "simple/").text.count("<a ") == 0


@pytest.mark.parametrize(
    ("filename", "message"),
    [
        ("other-1.0.0-py3-none-any.whl", "no .dist-info/METADATA"),
        ("sample_pkg-2.0-py3-none-any.whl", "no .dist-info/METADATA"),
        ("sample_pkg-1.0.0.whl", "not a wheel file name"),
        ("sample_pkg-1.0.0.exe", "not a .whl"),
        ("../sample_pkg-1.0.0-py3-none-any.whl", "not allowed"),
        ("sample_pkg-1.0.0.tar.gz", "neither"),
        ("", "no file"),
    ],
)
def test_a_file_under_a_wrong_name_is_refused(filename: str, message: str, server: Fresh) -> None:
    _, body = samples.wheel(Project())
    content_type, form = samples.multipart(samples.form(Project(), WHEEL, body), [("content", filename, body)])
    if filename.endswith(".tar.gz"):
        content_type, form = samples.multipart(
            samples.form(Project(), WHEEL, b"x", blake2_256_digest=None), [("content", filename, b"x")]
        )

    assert message in problem(send(server, content_type, form), 400)


def test_metadata_of_the_file_wins_over_the_form(server: Fresh) -> None:
    publish(server, Project(requires_python=">=3.9"), requires_python=">=2", summary="Form says")

    assert page(server)["files"][0]["requires-python"] == ">=3.9"
    shown = server.boto().describe_package_version(
        domain="dom", repository=server.repo, format="pypi", package="sample-pkg", packageVersion="1.0.0"
    )["packageVersion"]
    assert shown["summary"] == "A sample"


def test_the_form_speaks_for_an_old_sdist(server: Fresh) -> None:
    publish(server, Project(), lambda p: samples.sdist(p, pkg_info=False), summary="Form says", requires_python=">=3")

    info = get(server, "pypi/sample-pkg/json").json()["info"]
    assert (info["summary"], info["requires_python"]) == ("Form says", ">=3")


def test_an_egg_is_taken(server: Fresh) -> None:
    assert publish(server, Project(), samples.egg).status == 200


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/xml", b"<?xml version='1.0'?><methodCall/>", 405),
        ("application/json", b"{}", 400),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"x", 400),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 400),
        ("", b"", 400),
    ],
)
def test_what_is_no_upload_gets_an_answer(content_type: str, body: bytes, status: int, server: Fresh) -> None:
    problem(send(server, content_type, body), status)


def test_fields_after_the_file_count_too(server: Fresh) -> None:
    filename, body = samples.wheel(Project())
    content_type, form = samples.multipart([], [("content", filename, body)])
    _, tail = samples.multipart(samples.form(Project(), filename, body, sha256_digest="1" * 64), [])

    said = problem(send(server, content_type, form.replace(b"--c0ffee--\r\n", b"") + tail), 400)

    assert "sha256_digest" in said


def test_attestations_come_back_as_provenance(server: Fresh) -> None:
    attestations = [{"version": 1, "verification_material": {"a": 1.50}, "envelope": {"statement": "x"}}]
    publish(server, Project(), attestations=json.dumps(attestations))

    listed = page(server)["files"][0]["provenance"]
    assert listed.startswith("http://")
    answer = server.get(listed, token=server.token())

    assert answer.json()["version"] == 1
    assert answer.json()["attestation_bundles"][0]["attestations"] == attestations
    assert page(server)["meta"]["api-version"] == "1.3"


@pytest.mark.parametrize("signature", [b"no armor", b"-----BEGIN PGP SIGNATURE-----" + b"x" * 70_000])
def test_another_signature_is_refused(signature: bytes, server: Fresh) -> None:
    filename, body = samples.wheel(Project())
    files = [("content", filename, body), ("gpg_signature", f"{filename}.asc", signature)]

    assert "signature" in problem(send(server, *samples.multipart(samples.form(Project(), filename, body), files)), 400)


def test_an_sdist_whose_metadata_is_of_something_else_is_refused(server: Fresh) -> None:
    for other, message in ((Project(name="other"), "says project"), (Project(version="2.0"), "says version")):
        body = samples.tarred({"sample_pkg-1.0.0/PKG-INFO": samples.metadata(other)})
        form = samples.form(Project(), "sample_pkg-1.0.0.tar.gz", body)
        files = [("content", "sample_pkg-1.0.0.tar.gz", body)]

        assert message in problem(send(server, *samples.multipart(form, files)), 400)


def test_a_list_of_projects_goes_on_over_pages(server: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_PAGE", 2)
    names = [f"pkg{number}" for number in range(5)]
    for name in names:
        publish(server, Project(name=name))

    assert [project["name"] for project in get(server, "simple/", accept=JSON).json()["projects"]] == names
    assert get(server, "simple/").text.count("<a ") == 5


def test_an_armored_signature_is_kept(server: Fresh) -> None:
    filename, body = samples.wheel(Project())
    signature = b"-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
    form = samples.multipart(
        samples.form(Project(), filename, body),
        [("content", filename, body), ("gpg_signature", f"{filename}.asc", signature)],
    )
    assert send(server, *form).status == 200

    assert page(server)["files"][0]["gpg-sig"] is True
    assert get(server, f"simple/sample-pkg/1.0.0/{filename}.asc").body == signature


# --- indexes ---------------------------------------------------------------------------------


def test_every_file_has_what_resolvers_ask_for(server: Fresh) -> None:
    filename, body = samples.wheel(Project())
    publish(server, Project())

    found = page(server)

    assert found["name"] == "sample-pkg"
    assert found["versions"] == ["1.0.0"]
    assert found["meta"] == {"api-version": "1.1"}
    (file,) = found["files"]
    assert file["url"] == f"1.0.0/{filename}"
    assert file["hashes"] == {"sha256": hashlib.sha256(body).hexdigest()}
    assert file["size"] == len(body)
    assert file["requires-python"] == ">=3.8"
    assert file["yanked"] is False
    metadata = hashlib.sha256(samples.metadata(Project())).hexdigest()
    assert file["core-metadata"] == file["data-dist-info-metadata"] == {"sha256": metadata}
    age = time.time() - time.mktime(time.strptime(file["upload-time"][:19], "%Y-%m-%dT%H:%M:%S")) + time.timezone
    assert -5 < age < 60


def test_the_index_is_negotiated_and_labelled(server: Fresh) -> None:
    publish(server, Project())

    for accept, label in (
        (JSON, JSON),
        ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+html"),
        ("*/*", "text/html; charset=utf-8"),
    ):
        answer = get(server, "simple/sample-pkg/", accept=accept)
        assert answer.headers["content-type"] == label
        assert "Accept" in answer.headers["vary"]
        assert answer.headers["cache-control"] == "no-cache"
        again = get(server, "simple/sample-pkg/", accept=accept, if_none_match=answer.headers["etag"])
        assert again.status == 304
    assert get(server, f"simple/sample-pkg/?format={JSON}").headers["content-type"] == JSON
    assert "simple index comes as" in problem(get(server, "simple/sample-pkg/", accept="image/png"), 406)


@pytest.mark.parametrize("path", ["simple/Sample_Pkg/", "simple/sample.pkg", "simple/sample-pkg"])
def test_other_spellings_lead_to_the_page(path: str, server: Fresh) -> None:
    answer = get(server, path)

    assert answer.status == 301
    assert answer.headers["location"] == f"/pypi/d/dom-111122223333/{server.repo}/simple/sample-pkg/"


def test_the_list_of_projects_holds_what_upstreams_hold(server: Fresh) -> None:
    server.make("dom", f"{server.repo}-up", **{server.repo: [f"{server.repo}-up"]})
    publish(server, Project())
    publish(server, Project(name="Another"), repo=f"{server.repo}-up")

    plain = get(server, "simple/")
    listed = get(server, "simple/", accept=JSON).json()

    assert '<a href="another/">another</a>' in plain.text
    assert [project["name"] for project in listed["projects"]] == ["another", "sample-pkg"]
    assert get(server, "simple").headers["location"].endswith(f"/{server.repo}/simple/")


def test_an_unknown_project_is_not_there(server: Fresh) -> None:
    assert "nothing-here" in problem(get(server, "simple/nothing-here/"), 404)
    problem(get(server, "simple/-bad-/"), 404)
    problem(get(server, "%2Bsimple/sample-pkg/"), 404)
    problem(get(server, "pypi/nothing-here/json"), 404)


def test_without_a_token_the_challenge_is_constant(server: Fresh) -> None:
    answer = server.get(server.endpoint("pypi") + "simple/x/")

    problem(answer, 401)
    assert answer.headers["www-authenticate"] == 'Basic realm="packyard"'


# --- files -----------------------------------------------------------------------------------


def test_a_file_answers_head_and_ranges(server: Fresh) -> None:
    _, body = samples.wheel(Project())
    publish(server, Project())
    path = f"{server.endpoint('pypi')}simple/sample-pkg/1.0.0/{WHEEL}"

    head = server.request("HEAD", path, token=server.token())
    part = server.get(path, token=server.token(), headers={"Range": "bytes=-10"})

    assert (head.status, head.headers["content-length"]) == (200, str(len(body)))
    assert head.headers["accept-ranges"] == "bytes"
    assert "immutable" in head.headers["cache-control"]
    assert (part.status, part.body) == (206, body[-10:])
    assert "content-encoding" not in head.headers


def test_a_metadata_file_is_what_was_announced(server: Fresh) -> None:
    publish(server, Project(description="é" * 1000))
    file = page(server)["files"][0]

    answer = get(server, f"simple/sample-pkg/{file['url']}.metadata")

    assert answer.status == 200
    assert hashlib.sha256(answer.body).hexdigest() == file["core-metadata"]["sha256"]
    assert "immutable" in answer.headers["cache-control"]
    tag = answer.headers["etag"]
    assert get(server, f"simple/sample-pkg/{file['url']}.metadata", if_none_match=tag).status == 304
    problem(get(server, "simple/sample-pkg/1.0.0/absent-1.0.0-py3-none-any.whl.metadata"), 404)
    problem(get(server, "simple/sample-pkg/1.0.0/absent.metadata"), 404)
    problem(get(server, f"simple/sample-pkg/{file['url']}.provenance"), 404)
    problem(get(server, "simple/sample-pkg/9.9/absent.whl.provenance"), 404)
    problem(get(server, "simple/sample-pkg/9%209/absent.whl"), 404)
    problem(get(server, "pypi/sample-pkg/9%209/json"), 404)


def test_an_sdist_has_no_metadata_file(server: Fresh) -> None:
    publish(server, Project(), samples.sdist)

    assert page(server)["files"][0]["core-metadata"] is False
    problem(get(server, "simple/sample-pkg/1.0.0/sample_pkg-1.0.0.tar.gz.metadata"), 404)


def test_a_file_is_found_under_any_spelling_of_its_release(server: Fresh) -> None:
    publish(server, Project())

    assert get(server, f"simple/Sample.Pkg/1.0/{WHEEL}").status == 200
    problem(get(server, f"simple/sample-pkg/2.0/{WHEEL}"), 404)
    problem(get(server, "simple/sample-pkg/1.0/x%2Fy.whl"), 404)


# --- documents -------------------------------------------------------------------------------


def test_the_json_document_describes_a_project(server: Fresh) -> None:
    for version in ("1.0.0", "1.1", "2.0b1"):
        publish(server, Project(version=version, requires=["requests>=2"]))

    whole = get(server, "pypi/sample-pkg/json")
    one = get(server, "pypi/sample-pkg/2.0b1/json")

    found = whole.json()
    assert found["info"]["version"] == "1.1"
    assert found["info"]["description"] == Project().description
    assert found["info"]["requires_dist"] == ["requests>=2"]
    assert list(found["releases"]) == ["1.0.0", "1.1", "2.0b1"]
    assert "vulnerabilities" not in found
    (url,) = found["urls"]
    assert server.get(url["url"], token=server.token()).status == 200
    assert (one.json()["info"]["version"], "releases" in one.json()) == ("2.0b1", False)
    assert get(server, "sample-pkg/json").body == whole.body
    assert get(server, "sample-pkg/2.0b1/json").body == one.body
    assert get(server, "pypi/sample-pkg/json", if_none_match=whole.headers["etag"]).status == 304


# --- yank ------------------------------------------------------------------------------------


def yank(server: Server, query: str, body: bytes = b"", kind: str = "application/json") -> Answer:
    return server.request(
        "POST", f"{server.endpoint('pypi')}simple/sample-pkg/1.0/{query}", body=body,
        headers={"Content-Type": kind}, token=server.token(),
    )  # fmt: skip


def test_a_release_is_yanked_and_unyanked(server: Fresh) -> None:
    publish(server, Project())

    assert yank(server, "", b'{"yanked": true, "reason": "broken & bad"}').status == 200
    assert page(server)["files"][0]["yanked"] == "broken & bad"
    assert 'data-yanked="broken &amp; bad"' in get(server, "simple/sample-pkg/").text
    assert get(server, "pypi/sample-pkg/json").json()["info"]["yanked_reason"] == "broken & bad"
    assert get(server, f"simple/sample-pkg/1.0.0/{WHEEL}").status == 200

    yank(server, "", b"yanked=1", "application/x-www-form-urlencoded")
    assert page(server)["files"][0]["yanked"] is True
    assert 'data-yanked=""' in get(server, "simple/sample-pkg/").text

    yank(server, "?yanked=false")
    assert page(server)["files"][0]["yanked"] is False


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", b""),
        ("?yanked=perhaps", b""),
        ("", b"{"),
        ("", b'{"yanked": 1}'),
        ("", b"[]"),
        ("", b'{"yanked": true, "reason": 5}'),
    ],
)
def test_a_mark_that_says_nothing_is_refused(query: str, body: bytes, server: Fresh) -> None:
    publish(server, Project())

    problem(yank(server, query, body), 400)


def test_only_what_is_there_can_be_yanked(server: Fresh) -> None:
    problem(yank(server, "?yanked=true"), 404)


# --- through a connection ----------------------------------------------------------------------


def upstream(pair: Pair, project: Project, **changed: Any) -> None:
    assert publish(pair.back, project, repo="main", domain="pub", **changed).status == 200


def versions(pair: Pair, repo: str = "repo") -> list[str]:
    client = pair.front.boto()
    try:
        found = client.list_package_versions(domain="dom", repository=repo, format="pypi", package="sample-pkg")
    except client.exceptions.ResourceNotFoundException:
        return []
    return [version["version"] for version in found["versions"]]


def test_reading_pages_and_metadata_retains_nothing(pair: Pair) -> None:
    upstream(pair, Project())
    file = page(pair.front)["files"][0]

    answer = get(pair.front, f"simple/sample-pkg/{file['url']}.metadata")
    document = get(pair.front, "pypi/sample-pkg/json").json()

    assert answer.body == samples.metadata(Project())
    assert hashlib.sha256(answer.body).hexdigest() == file["core-metadata"]["sha256"]
    assert document["info"]["summary"] == "A sample"
    assert document["info"]["description"] == Project().description
    assert versions(pair) == versions(pair, "pypi-store") == []


def test_a_file_brings_the_whole_release_with_its_time(pair: Pair) -> None:
    upstream(pair, Project())
    upstream(pair, Project(), build=samples.sdist)
    before = {file["filename"]: file for file in page(pair.front)["files"]}

    assert get(pair.front, f"simple/sample-pkg/1.0.0/{WHEEL}").body == samples.wheel(Project())[1]
    idle = pair.front.app.services.resolver.idle()
    asyncio.run_coroutine_threadsafe(idle, pair.front.loop).result(20)

    assert stored(pair) == {WHEEL, "sample_pkg-1.0.0.tar.gz"}
    assert {file["filename"]: file for file in page(pair.front)["files"]} == before
    pair.back.stop()
    assert (
        hashlib.sha256(get(pair.front, f"simple/sample-pkg/1.0.0/{WHEEL}.metadata").body).hexdigest()
        == (before[WHEEL]["core-metadata"]["sha256"])
    )
    assert get(pair.front, "pypi/sample-pkg/json").json()["info"]["description"] == Project().description


def stored(pair: Pair) -> set[str]:
    client = pair.front.boto()
    try:
        found = client.list_package_version_assets(
            domain="dom", repository="repo", format="pypi", package="sample-pkg", packageVersion="1.0.0"
        )
    except client.exceptions.ResourceNotFoundException:
        return set()
    return {asset["name"] for asset in found["assets"]}


def test_an_unreachable_registry_is_not_an_unknown_project(pair: Pair) -> None:
    pair.back.stop()

    problem(get(pair.front, "simple/sample-pkg/"), 502)
    problem(get(pair.front, f"simple/sample-pkg/1.0.0/{WHEEL}"), 502)


def test_a_release_that_is_there_upstream_is_not_published(pair: Pair) -> None:
    upstream(pair, Project())

    assert "present upstream" in problem(publish(pair.front, Project(code="VALUE = 2\n"), samples.sdist), 409)
