"""The endpoint as raw requests see it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import os
from dataclasses import replace

import pytest

from protocols.nuget import render
from tests.harness import basic
from tests.protocols.nuget.conftest import Feed
from tests.samples.nuget import Package, pushed, registered
from tests.samples.pypi import multipart

HIVES = ("v3/registration/", "v3/registration-gz/", "v3/registration-gz-semver2/")
SEMVER2 = HIVES[2]


def test_the_service_index_names_what_every_generation_of_clients_looks_for(feed: Feed) -> None:
    answer = feed.get("v3/index.json")
    document = answer.json()
    types = {each["@type"]: each for each in document["resources"]}

    assert document["version"] == "3.0.0"
    assert types.keys() >= {
        "PackageBaseAddress/3.0.0", "RegistrationsBaseUrl", "RegistrationsBaseUrl/3.0.0-beta",
        "RegistrationsBaseUrl/3.0.0-rc", "RegistrationsBaseUrl/3.4.0", "RegistrationsBaseUrl/3.6.0",
        "RegistrationsBaseUrl/Versioned", "SearchQueryService", "SearchQueryService/3.0.0-beta",
        "SearchQueryService/3.0.0-rc", "SearchQueryService/3.5.0", "SearchAutocompleteService", "PackagePublish/2.0.0",
        "SymbolPackagePublish/4.9.0",
    }  # fmt: skip
    assert not [
        each for each in types if each.startswith(("RepositorySignatures", "VulnerabilityInfo", "LegacyGallery"))
    ]
    assert types["RegistrationsBaseUrl/Versioned"]["clientVersion"] == "4.3.0-alpha"
    assert {each["@id"].startswith(f"{feed.endpoint}v3/") for each in types.values()} == {True}
    assert types["PackageBaseAddress/3.0.0"]["@id"].endswith("/")
    again = feed.get("v3/index.json", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert feed.get("v3/index.json/").status == 200


def test_addresses_are_those_that_the_client_used(feed: Feed) -> None:
    answer = feed("GET", "v3/index.json", headers={"Host": "packages.example:8443"})

    root = f"http://packages.example:8443/nuget/d/dom-111122223333/{feed.repo}/"
    assert {each["@id"].startswith(root) for each in answer.json()["resources"]} == {True}


def test_without_credentials_there_is_a_challenge_and_no_warning(feed: Feed) -> None:
    headers, body = pushed(Package().nupkg())
    answers = [
        replace(feed, token="")("GET", "v3/index.json"),
        replace(feed, token="")("PUT", "v3/package/", body, headers),
    ]

    assert [(each.status, each.headers["www-authenticate"]) for each in answers] == [
        (401, 'Basic realm="packyard"')
    ] * 2
    assert not [each for each in answers if "x-nuget-warning" in each.headers]
    wrong = replace(feed, token="wrong").push(Package())
    assert wrong.status == 401
    assert "token" in wrong.headers["x-nuget-warning"]


def test_a_large_push_that_is_refused_is_sent_again_on_the_same_connection(feed: Feed) -> None:
    package = Package("Large", files={"lib/x": os.urandom(4_000_000)})
    connection = http.client.HTTPConnection(feed.server.host, timeout=30)
    path = f"/nuget/d/dom-111122223333/{feed.repo}/v3/package/"
    statuses = []
    for credentials in ({}, {"Authorization": basic(feed.server.token())}):
        headers, body = pushed(package.nupkg())
        connection.request("PUT", path, body, {**headers, **credentials}, encode_chunked=True)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()

    assert statuses == [401, 201]
    assert feed.server.app.limits.discard_bytes > feed.server.config.quotas.asset_bytes


def test_a_push_of_the_same_bytes_succeeds_again_and_of_others_conflicts(feed: Feed) -> None:
    first, again = feed.push(Package()), feed.push(Package())
    other = feed.push(Package(description="other"))

    assert (first.status, again.status, other.status) == (201, 201, 409)
    assert "different content" in other.headers["x-nuget-warning"]
    assert other.json()["error"] == other.headers["x-nuget-warning"]


@pytest.mark.parametrize("path", ["v3/package", "v3/package/", "v2/package", "v2/package/", "api/v2/package/"])
def test_a_push_finds_its_way_with_and_without_a_slash(feed: Feed, path: str) -> None:
    assert feed.push(Package(), path).status == 201


def test_a_bare_package_and_a_form_of_curl_are_taken(feed: Feed) -> None:
    bare = feed("PUT", "v3/package", Package("Bare").nupkg(), {"Content-Type": "application/octet-stream"})
    kind, body = multipart([], [("anything", "x.nupkg", Package("Form").nupkg())])
    form = feed("PUT", "v3/package", body, {"Content-Type": kind})

    assert (bare.status, form.status) == (201, 201)
    assert (feed.versions("bare"), feed.versions("form")) == (["1.0.0"], ["1.0.0"])


def test_the_key_of_the_api_is_a_token_where_there_are_no_other_credentials(feed: Feed) -> None:
    headers, body = pushed(Package().nupkg())
    keyed = replace(feed, token="")
    answer = keyed("PUT", "v3/package/", body, {**headers, "X-NuGet-ApiKey": feed.server.token()})
    headers, body = pushed(Package("B").nupkg())
    both = keyed(
        "PUT", "v3/package/", body, {**headers, "X-NuGet-ApiKey": "any", "Authorization": basic(feed.server.token())}
    )

    assert (answer.status, both.status) == (201, 201)


def test_what_cannot_be_a_package_is_refused_with_the_reason(feed: Feed) -> None:
    headers, body = pushed(b"no zip")
    broken = feed("PUT", "v3/package/", body, headers)
    kind, form = multipart([("field", "text")], [])
    empty = feed("PUT", "v3/package/", form, {"Content-Type": kind})
    text = feed("PUT", "v3/package/", b"{}", {"Content-Type": "application/json"})
    evil = feed.push(Package("Evil", metadata="<x/>", files={"../../etc/cron.d/x": b""}))
    unknown = feed.push(Package("Bad Id"))
    versions = feed.push(Package("Bad", "1.0.0-rc_1"))

    answers = [broken, empty, text, evil, unknown, versions]
    assert [each.status for each in answers] == [400] * 6
    assert "no zip archive" in broken.headers["x-nuget-warning"]
    assert [each for each in answers if not each.json()["error"].isprintable()] == []
    assert feed.server.boto().list_packages(domain="dom", repository=feed.repo)["packages"] == []


def test_a_reason_of_any_characters_fits_into_a_header(feed: Feed) -> None:
    answer = feed.push(Package("Ünï\u2028code", "1.0"))

    assert answer.status == 400
    assert answer.headers["x-nuget-warning"].isascii()


def test_spellings_of_one_version_are_one_version(feed: Feed) -> None:
    feed.pushes("Acme.Hello", "1.0.0-RC")

    assert [feed.push(Package("acme.hello", each)).status for each in ("1.0-rc", "1.0.0.0-rc", "01.0.0-Rc+meta")] == [
        409
    ] * 3
    assert feed.versions("ACME.hello") == ["1.0.0-rc"]


def test_files_are_found_under_every_spelling(feed: Feed) -> None:
    package = Package("Acme.Hello", "1.2.0.0-Beta.1+meta", metadata="<readme>r.md</readme><icon>i.png</icon>",
                      files={"r.md": b"# Hello", "i.png": b"\x89PNG\r\n\x1a\n"})  # fmt: skip
    feed.push(package)
    place = "v3/flat/acme.hello/1.2.0-beta.1"

    assert feed.get(f"{place}/acme.hello.1.2.0-beta.1.nupkg").body == package.nupkg()
    assert feed.get("v3/flat/Acme.Hello/1.2-BETA.1/Acme.Hello.1.2-BETA.1.nupkg").body == package.nupkg()
    nuspec = feed.get(f"{place}/acme.hello.nuspec")
    assert (nuspec.body, nuspec.headers["content-type"]) == (package.nuspec(), "application/xml")
    assert feed.get(f"{place}/acme.hello.nuspec", If_None_Match=nuspec.headers["etag"]).status == 304
    assert feed.get(f"{place}/readme").text == "# Hello"
    assert feed.get(f"{place}/icon").headers["content-type"] == "image/png"
    missing = ["other.nuspec", "acme.hello.1.0.0.nupkg", "acme.hello.1.2.0-beta.1.snupkg", "x"]
    assert [feed.get(f"{place}/{each}").status for each in missing] == [404] * 4
    assert [feed.get(f"v3/flat/{each}/index.json").status for each in ("none", "a%20b", "..a", "a%2fb")] == [404] * 4


def test_an_icon_that_is_no_image_is_not_given_out(feed: Feed) -> None:
    feed.push(Package(metadata="<icon>i.png</icon>", files={"i.png": b"<svg onload='x'>"}))

    assert feed.get("v3/flat/acme.hello/1.0.0/icon").status == 404
    assert feed.get("v3/flat/acme.hello/1.0.0/readme").status == 404


def test_the_list_of_versions_is_ascending_and_without_metadata(feed: Feed) -> None:
    feed.pushes("A", "1.10.0", "1.9", "1.0.0.1", "1.0", "2.0.0-beta.2", "2.0.0-beta.11", "2.0.0+build.7")

    assert feed.versions("a") == ["1.0.0", "1.0.0.1", "1.9.0", "1.10.0", "2.0.0-beta.2", "2.0.0-beta.11", "2.0.0"]


def test_a_registration_shows_what_is_in_the_package(feed: Feed) -> None:
    package = Package("Acme.Hello", "1.0+meta", dependencies=[("Acme.Base", "[1.0,2.0)")])
    feed.push(package)

    document = feed.json(f"{SEMVER2}acme.hello/index.json")
    [page] = document["items"]
    [item] = page["items"]
    entry = item["catalogEntry"]

    assert (document["count"], page["count"], page["lower"], page["upper"]) == (1, 1, "1.0.0", "1.0.0")
    assert (entry["id"], entry["version"], entry["listed"]) == ("Acme.Hello", "1.0.0+meta", True)
    assert entry["dependencyGroups"] == [
        {"targetFramework": "netstandard2.0", "dependencies": [{"id": "Acme.Base", "range": "[1.0.0, 2.0.0)"}]}
    ]
    assert item["packageContent"] == f"{feed.endpoint}v3/flat/acme.hello/1.0.0/acme.hello.1.0.0.nupkg"
    assert base64.b64decode(entry["packageHash"]) == hashlib.sha512(package.nupkg()).digest()
    assert entry["packageSize"] == len(package.nupkg())
    leaf = feed.json(item["@id"])
    assert (leaf["packageContent"], leaf["registration"]) == (item["packageContent"], document["@id"])
    catalog = feed.json(leaf["catalogEntry"])
    assert {catalog[each] == entry[each] for each in ("id", "version", "packageHash", "published")} == {True}


def test_hives_without_semver_2_leave_out_what_needs_it(feed: Feed) -> None:
    feed.pushes("A", "1.0.0", "1.1.0-beta.1", "1.2.0+meta", "1.3.0-beta")
    feed.push(Package("A", "1.4.0", dependencies=[("B", "1.0.0-rc.1")]))
    feed.pushes("Only", "1.0.0-a.b")

    shown = [set(registered(feed.json(f"{hive}a/index.json"))) for hive in HIVES]

    assert shown[0] == shown[1] == {"1.0.0", "1.3.0-beta"}
    assert shown[2] == {"1.0.0", "1.1.0-beta.1", "1.2.0+meta", "1.3.0-beta", "1.4.0"}
    assert [feed.get(f"{hive}only/index.json").status for hive in HIVES] == [404, 404, 200]
    assert feed.get(f"{HIVES[0]}a/1.1.0-beta.1.json").status == 404


def test_every_address_of_every_document_answers(feed: Feed) -> None:
    feed.pushes("Acme.Hello", "1.0.0", "1.1.0-beta.1", "1.2.0+meta")
    feed.pushes("Größe", "1.0.0.4")
    feed.push(Package("Iconic", metadata="<icon>i.png</icon>", files={"i.png": b"\x89PNG\r\n\x1a\n"}))

    seen = feed.walk()

    assert {url: each.status for url, each in seen.items() if each.status != 200} == {}
    assert len(seen) > 20


def test_large_registrations_come_in_pages(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "PAGE", 4)
    monkeypatch.setattr(render, "INLINE", 8)
    feed.pushes("Many", *[f"1.{number}.0" for number in range(8)])
    inline = feed.json(f"{SEMVER2}many/index.json")
    feed.pushes("Many", "1.8.0", "1.9.0")

    answer = feed.get(f"{SEMVER2}many/index.json", Accept_Encoding="gzip")
    document = feed.json(f"{SEMVER2}many/index.json")

    assert [len(page["items"]) for page in inline["items"]] == [4, 4]
    assert answer.headers.get("content-encoding", "identity") in ("gzip", "identity")
    assert [(page["count"], page["lower"], page["upper"]) for page in document["items"]] == [
        (4, "1.0.0", "1.3.0"), (4, "1.4.0", "1.7.0"), (2, "1.8.0", "1.9.0"),
    ]  # fmt: skip
    assert not [page for page in document["items"] if "items" in page]
    pages = [feed.json(page["@id"]) for page in document["items"]]
    assert [list(registered(page)) for page in pages] == [
        [f"1.{number}.0" for number in numbers] for numbers in (range(4), range(4, 8), range(8, 10))
    ]
    assert pages[0]["parent"] == document["@id"]
    between = feed.json(f"{SEMVER2}many/page/1.3/1.5.0.json")
    assert list(registered(between)) == ["1.3.0", "1.4.0", "1.5.0"]
    wrong = ("2.0.0/3.0.0.json", "x/y.json", "1.0.0/2.0.0")
    assert [feed.get(f"{SEMVER2}many/page/{each}").status for each in wrong] == [404] * 3


def test_registrations_travel_compressed(feed: Feed) -> None:
    feed.pushes("A", "1.0.0", "1.1.0", "1.2.0")

    plain, packed = (
        feed.get(f"{SEMVER2}a/index.json"),
        feed.get(f"{SEMVER2}a/index.json", Accept_Encoding="gzip, deflate"),
    )

    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


def test_delete_unlists_and_post_lists_again(feed: Feed) -> None:
    feed.pushes("Acme.Hello", "1.0.0", "2.0.0")

    gone = feed("DELETE", "v3/package/Acme.HELLO/02.00")
    entries = registered(feed.json(f"{SEMVER2}acme.hello/index.json"))

    assert (gone.status, gone.body) == (204, b"")
    assert (entries["1.0.0"]["listed"], entries["2.0.0"]["listed"]) == (True, False)
    assert entries["2.0.0"]["published"].startswith("1900")
    assert feed.versions("acme.hello") == ["1.0.0", "2.0.0"]
    assert feed.get("v3/flat/acme.hello/2.0.0/acme.hello.2.0.0.nupkg").status == 200
    assert feed.json("v3/query?q=acme")["data"][0]["version"] == "1.0.0"
    assert feed.push(Package("Acme.Hello", "2.0.0")).status == 409
    assert feed("POST", "v3/package/Acme.Hello/2.0.0").status == 200
    assert feed.json("v3/query?q=acme")["data"][0]["version"] == "2.0.0"
    assert feed("DELETE", "v3/package/Acme.Hello/9.0.0").status == 404
    assert feed("DELETE", "v3/package/Nothing/1.0.0").status == 404


def test_what_is_archived_is_nowhere_and_cannot_be_listed_again(feed: Feed) -> None:
    feed.pushes("A", "1.0.0")
    feed.status("A", "Archived", "1.0")

    assert [feed.get(path).status for path in ("v3/flat/a/index.json", f"{SEMVER2}a/index.json",
                                               "v3/flat/a/1.0.0/a.1.0.0.nupkg")] == [404] * 3  # fmt: skip
    assert [feed(method, "v3/package/A/1.0.0").status for method in ("DELETE", "POST")] == [404] * 2
    assert feed.push(Package("A", "1.0.0")).status == 409


def test_symbols_join_the_package_that_they_belong_to(feed: Feed) -> None:
    package = Package("Acme.Hello", "1.0")
    before = feed.push(package, "v3/symbolpackage/")
    feed.push(package)
    first, again = feed.push(package, "v3/symbolpackage/"), feed.push(package, "v3/symbolpackage/")
    other = feed.push(replace(package, description="other"), "v3/symbolpackage/")
    repeated = feed.push(package)

    assert (before.status, first.status, again.status, other.status, repeated.status) == (404, 201, 201, 409, 201)
    names = feed.server.boto().list_package_version_assets(**feed.at("Acme.Hello", packageVersion="1.0"))["assets"]
    assert [each["name"] for each in names] == ["acme.hello.1.0.0.nupkg", "acme.hello.1.0.0.snupkg"]
    assert feed.get("v3/flat/acme.hello/1.0.0/acme.hello.1.0.0.snupkg").body == package.snupkg()
    headers, body = pushed(package.snupkg())
    assert feed("PUT", "v3/package/", body, headers).status == 400
    headers, body = pushed(package.nupkg())
    assert feed("PUT", "v3/symbolpackage/", body, headers).status == 400


def test_the_api_takes_names_and_versions_in_any_spelling(feed: Feed) -> None:
    feed.push(Package("Newtonsoft.JSON", "12.0.3", metadata="<projectUrl>https://acme.example</projectUrl>"))
    client = feed.server.boto()

    found = client.describe_package_version(**feed.at("Newtonsoft.JSON", packageVersion="12.0.03.0"))["packageVersion"]

    assert (found["packageName"], found["displayName"], found["version"]) == (
        "newtonsoft.json",
        "Newtonsoft.JSON",
        "12.0.3",
    )
    assert (found["homePage"], found["summary"]) == ("https://acme.example", "Says hello")
    [listed] = client.list_packages(domain="dom", repository=feed.repo, format="nuget")["packages"]
    assert listed["package"] == "newtonsoft.json"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_package_version_asset(
            **feed.at("Newtonsoft.JSON", packageVersion="12.0.3"), asset="Newtonsoft.JSON.12.0.3.nupkg"
        )


def test_versions_are_shown_with_their_labels_as_published(feed: Feed) -> None:
    feed.pushes("A", "1.0-RC.1+meta", "1.0.0.9")

    found = feed.server.boto().list_package_versions(**feed.at("a"))["versions"]

    assert [each["version"] for each in found] == ["1.0.0.9", "1.0.0-RC.1"]


def test_paths_of_version_2_of_the_protocol_are_not_there(feed: Feed) -> None:
    paths = (
        "api/v2/",
        "api/v2/FindPackagesById()",
        "Packages()",
        "v2/",
        "v3/catalog0/index.json",
        "v3/vulnerabilities/index.json",
    )

    answers = [feed.get(path) for path in paths]

    assert [each.status for each in answers] == [404] * 6
    assert all(each.json()["error"] for each in answers)
    assert feed("POST", "v3/index.json").status == 405
