"""Package files: what is read out of good ones, and what evil ones cannot do."""

from __future__ import annotations

import io
import zipfile

import pytest

from protocols.nuget import archive, contents
from registry.core.types import Dependency, Digests, License
from tests.samples.nuget import NAMESPACE, Package, zipped

DIGESTS = Digests("", "", "", "00" * 64)


def inspected(body: bytes, *, strict: bool = True) -> contents.Contents:
    return contents.inspect(io.BytesIO(body), strict=strict)


def test_everything_that_clients_show_is_read() -> None:
    package = Package(
        "Acme.Hello",
        "01.2.0-Beta.1+build",
        authors="Ann, Bob",
        metadata=(
            "<title>Hello</title><summary>Short</summary><tags>one two, three</tags>"
            '<license type="expression">MIT OR Apache-2.0</license><licenseUrl>https://licenses.example/MIT</licenseUrl>'
            '<projectUrl>https://acme.example</projectUrl><repository type="git" url="https://git.example/acme" />'
            "<readme>docs\\Readme.md</readme><icon>icon.png</icon>"
            '<packageTypes><packageType name="DotnetTool"/></packageTypes>'
            '<dependencies><group targetFramework="net6.0"><dependency id="Acme.Base" version="1.0"/></group>'
            '<group targetFramework="net8.0"><dependency id="acme.BASE" version="1.0.0"/>'
            '<dependency id="Other"/></group>'
            '<group targetFramework="net472"/></dependencies>'
        ),
        files={"docs/readme.md": b"\xef\xbb\xbf# Hello", "icon.png": b"\x89PNG"},
    )

    found = inspected(package.nupkg())
    entry = contents.entry(found, DIGESTS, 7)
    facts = contents.facts(found)

    assert (found.package.name, found.version, found.spec.semver2) == ("acme.hello", "1.2.0-beta.1", True)
    assert found.spec.version.normal == "1.2.0-Beta.1"
    assert (entry["id"], entry["version"], entry["tags"]) == (
        "Acme.Hello", "1.2.0-Beta.1+build", ["one", "two", "three"],
    )  # fmt: skip
    assert entry["dependencyGroups"] == [
        {"targetFramework": "net6.0", "dependencies": [{"id": "Acme.Base", "range": "[1.0.0, )"}]},
        {
            "targetFramework": "net8.0",
            "dependencies": [{"id": "acme.BASE", "range": "[1.0.0, )"}, {"id": "Other", "range": "(, )"}],
        },
        {"targetFramework": "net472"},
    ]
    assert (entry["licenseExpression"], entry["packageTypes"]) == ("MIT OR Apache-2.0", [{"name": "DotnetTool"}])
    assert entry["iconUrl"] == "\0B/v3/flat/acme.hello/1.2.0-beta.1/icon"
    assert (entry["packageHash"], entry["packageHashAlgorithm"], entry["packageSize"]) == ("A" * 86 + "==", "SHA512", 7)
    assert (facts.display, facts.summary, facts.homepage) == ("Acme.Hello", "Short", "https://acme.example")
    assert (facts.source, facts.readme) == ("https://git.example/acme", "# Hello")
    assert facts.licenses == (License("MIT OR Apache-2.0", "https://licenses.example/MIT"),)
    assert facts.dependencies == (
        Dependency(None, "acme.base", "", "[1.0.0, )"), Dependency(None, "other", "", "(, )"),
    )  # fmt: skip


def test_the_license_of_a_file_and_of_an_address() -> None:
    file = Package(metadata='<license type="file">LICENSE.txt</license>', files={"LICENSE.txt": b"free"})
    address = Package(metadata="<licenseUrl>https://acme.example/license</licenseUrl>")

    assert contents.facts(inspected(file.nupkg())).licenses == (License("LICENSE.txt"),)
    assert contents.facts(inspected(address.nupkg())).licenses == (License(url="https://acme.example/license"),)
    assert contents.facts(inspected(Package().nupkg())).licenses == ()


@pytest.mark.parametrize("namespace", ["", NAMESPACE, NAMESPACE.replace("2013/05", "2010/07")])
def test_every_namespace_of_history_is_read_and_so_is_none(namespace: str) -> None:
    loose = '<dependencies><dependency id="A" version="1.0"/></dependencies>'

    found = inspected(Package(namespace=namespace, metadata=loose).nupkg())

    assert contents.entry(found, DIGESTS, 1)["dependencyGroups"] == [
        {"dependencies": [{"id": "A", "range": "[1.0.0, )"}]}
    ]


def test_a_package_needs_semver_2_through_a_bound_of_a_dependency() -> None:
    assert inspected(Package(dependencies=[("A", "[1.0.0-a.1, )")]).nupkg()).spec.semver2
    assert not inspected(Package("A", "1.0.0-a", dependencies=[("A", "1.0.0-a")]).nupkg()).spec.semver2


def nuspec(text: str) -> bytes:
    return zipped({"a.nuspec": text.encode()})


GOOD = "<package><metadata><id>A</id><version>1.0</version></metadata></package>"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no zip archive"),
        (b"PK\x03\x04" + b"x" * 100, "cannot be read"),
        (Package().nupkg()[:-30], "cannot be read"),
        (b"MZ" + Package().nupkg(), "no zip archive"),
        (zipped({"lib/a.dll": b""}), "no .nuspec"),
        (zipped({"lib/a.nuspec": GOOD.encode()}), "no .nuspec"),
        (zipped({"a.nuspec": GOOD.encode(), "b.NUSPEC": GOOD.encode()}), "more than one .nuspec"),
        (zipped({"a.nuspec": GOOD.encode(), "lib/A.dll": b"", "lib/a.DLL": b""}), "twice"),
        (zipped({"a.nuspec": GOOD.encode(), "../x": b""}), "outside"),
        (zipped({"a.nuspec": GOOD.encode(), "lib/%2e%2e/%2e%2e/x": b""}), "outside"),
        (zipped({"a.nuspec": GOOD.encode(), "..\\x": b""}), "outside"),
        (zipped({"a.nuspec": GOOD.encode(), "/etc/passwd": b""}), "outside"),
        (zipped({"a.nuspec": GOOD.encode(), "C:\\x": b""}), "outside"),
        (nuspec("no xml"), "not well-formed"),
        (nuspec("<package/>"), "no package with metadata"),
        (nuspec("<metadata><id>A</id><version>1</version></metadata>"), "no package with metadata"),
        (nuspec("<package><metadata><id>A</id></metadata></package>"), "no id or no version"),
        (nuspec(GOOD.replace(">A<", ">A/../B<")), "not a NuGet package id"),
        (nuspec(GOOD.replace("1.0", "1.0.x")), "not a NuGet version"),
        (nuspec(GOOD + " " * archive.MAX_NUSPEC), "larger than"),
        (nuspec('<!DOCTYPE package [<!ENTITY x "y">]>' + GOOD.replace(">A<", ">&x;<")), "document type"),
        (nuspec('<!DOCTYPE package SYSTEM "file:///etc/passwd">' + GOOD), "document type"),
        (Package(metadata="<readme>r.md</readme>").nupkg(), "no readme"),
    ],
)  # fmt: skip
def test_what_is_no_package_is_refused_in_words(body: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        inspected(body)


def test_an_encrypted_entry_is_refused() -> None:
    body = bytearray(Package().nupkg())
    at = body.index(b"PK\x01\x02")
    body[at + 8] |= 1

    with pytest.raises(ValueError, match="encrypted"):
        inspected(bytes(body))


def test_an_entity_bomb_is_not_expanded() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 10}">' for n in range(12))

    with pytest.raises(ValueError):
        inspected(nuspec(f"<!DOCTYPE package [{entities}]>" + GOOD.replace(">A<", ">&e11;<")))


def test_a_bomb_is_refused_by_what_it_says_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "FREE_OF_RATIO", 100_000)

    with pytest.raises(ValueError, match="far more than its size"):
        inspected(Package(files={"lib/zero": bytes(1_000_000)}).nupkg())


def test_entries_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 5)

    with pytest.raises(ValueError, match="more than 5 entries"):
        inspected(Package(files={f"lib/{n}": b"" for n in range(5)}).nupkg())


def test_a_nuspec_that_inflates_to_more_than_it_says_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.nuspec", GOOD + " " * (archive.MAX_NUSPEC + 1000))
    body = out.getvalue()
    true = (len(GOOD) + archive.MAX_NUSPEC + 1000).to_bytes(4, "little")

    with pytest.raises(ValueError):
        inspected(body.replace(true, (200).to_bytes(4, "little")))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_nuspec_in_an_unusual_compression_is_refused(method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        packed.writestr("a.nuspec", GOOD)

    with pytest.raises(ValueError, match="stored or deflated"):
        inspected(out.getvalue())


def test_older_sins_of_a_public_registry_are_overlooked() -> None:
    body = zipped({"a.nuspec": GOOD.encode(), "lib/A.dll": b"", "lib/a.DLL": b""})

    assert inspected(body, strict=False).version == "1.0.0"


def test_verify_finds_a_byte_that_is_wrong() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("a.nuspec", GOOD)
        packed.writestr("lib/a", b"STORED-BYTES")
    whole = out.getvalue()

    with archive.opened(io.BytesIO(whole)) as package:
        package.verify()
    with pytest.raises(ValueError, match="Bad CRC"):
        with archive.opened(io.BytesIO(whole.replace(b"STORED-BYTES", b"STORED-BITES"))) as package:
            package.verify()
