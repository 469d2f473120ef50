"""Gems read from their files, friendly and hostile."""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import replace

import pytest

from protocols.ruby import gemfile, gemspec, yamltree
from protocols.ruby.gemspec import Need
from tests.samples.ruby import Gem, tarred

NEEDS = [("rack", ["~> 2.0", ">= 2.0.1"], "runtime"), ("rake", [">= 0"], "development")]


def read(body: bytes, *, lenient: bool = False) -> gemfile.Gem:
    return gemfile.read(io.BytesIO(body), len(body), lenient=lenient)


def from_yaml(text: str, *, lenient: bool = False) -> gemspec.Spec:
    return gemspec.from_yaml(text.encode(), lenient=lenient)


def test_a_gem_tells_everything_about_itself() -> None:
    gem = read(Gem(version="1.10", platform="java", needs=NEEDS).build())

    spec = gem.spec
    assert (spec.name, spec.version, spec.platform, spec.full) == ("hola", "1.10", "java", "hola-1.10-java")
    assert spec.needs == (Need("rack", (">= 2.0.1", "~> 2.0")), Need("rake", (">= 0",), runtime=False))
    assert (spec.ruby, spec.rubygems) == ((">= 2.5",), (">= 0",))
    assert (spec.summary, spec.description, spec.homepage) == (
        "Says hello", "A longer text", "https://example.com/hola",
    )  # fmt: skip
    assert (spec.authors, spec.email, spec.licenses) == (("A. Author",), ("a@example.com",), ("MIT",))
    assert spec.metadata == {"source_code_uri": "https://example.com/source"}
    assert gem.readme == "# Hola\n"
    facts = gemspec.facts(spec, gem.readme)
    assert [(each.package, each.type, each.requirement) for each in facts.dependencies] == [
        ("rack", "runtime", ">= 2.0.1, ~> 2.0"),
        ("rake", "development", ">= 0"),
    ]
    assert (facts.display, facts.homepage, facts.source) == (
        "hola", "https://example.com/hola", "https://example.com/source",
    )  # fmt: skip


def test_the_beginning_of_a_gem_tells_its_name() -> None:
    body = Gem(needs=NEEDS).build()

    assert gemfile.peek(body[:2048]) == read(body).spec
    assert gemfile.peek(body[:600]) is None
    assert gemfile.peek(b"nothing of the kind" * 100) is None


def test_versions_stay_texts() -> None:
    old = "name: a\nversion: 1.10\nplatform: ruby\ndate: 2010-01-01\nsummary: 1.0\n"

    spec = from_yaml(old)

    assert (spec.version, spec.summary) == ("1.10", "1.0")


def test_old_spellings_are_understood() -> None:
    spec = from_yaml(
        """--- !ruby/object:Gem::Specification
name: old
version: !ruby/object:Gem::Version
  version: 0.1.0
platform: !ruby/object:Gem::Platform
  cpu: x86
  os: mswin32
  version: "60"
authors: []
author: Somebody
dependencies:
  - !ruby/object:Gem::Dependency
    name: other
    version_requirement:
    version_requirements: !ruby/object:Gem::Requirement
      requirements:
        -
          - ">"
          - !ruby/object:Gem::Version
            version: 0.0.0
      version:
required_ruby_version: !ruby/object:Gem::Version::Requirement
  requirements:
    - - ">="
      - !ruby/object:Gem::Version
        version: 1.8.2
  version:
license: MIT
summary: Old
"""
    )

    assert spec.platform == "x86-mswin32-60"
    assert spec.needs == (Need("other", ("> 0.0.0",)),)
    assert (spec.ruby, spec.authors, spec.licenses) == ((">= 1.8.2",), ("Somebody",), ("MIT",))


ALIASED = """--- !ruby/object:Gem::Specification
name: old
version: !ruby/object:Gem::Version
  version: 0.1.0
dependencies:
- !ruby/object:Gem::Dependency
  name: other
  requirement: &id001 !ruby/object:Gem::Requirement
    requirements:
    - - ~>
      - !ruby/object:Gem::Version
        version: '1.2'
  type: :runtime
  version_requirements: *id001
"""


def test_aliases_are_read_from_registries_and_refused_from_publishers() -> None:
    assert from_yaml(ALIASED, lenient=True).needs == (Need("other", ("~> 1.2",)),)
    with pytest.raises(ValueError, match="aliases"):
        from_yaml(ALIASED)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("--- !ruby/object:Kernel\nname: a\n", "object of a kind"),
        ("name: !ruby/object:Gem::Installer\n  i: x\n", "object of a kind"),
        ("name: !!python/object/apply:os.system ['true']\n", "object of a kind"),
        ("name: !ruby/regexp /a/\n", "object of a kind"),
        (BOMB, "aliases"),
        ("a: &a [*a]\n", "aliases"),
        ("x: " + "[" * 100 + "]" * 100, "levels deep"),
        ("x: [" + "a," * 250_000 + "]", "more than 200000 nodes"),
        ("name: a\n---\nname: b\n", "more than one"),
        ("name: [", "no YAML"),
        ("? [a]\n: b\n", "key that is no text"),
        ("- a\n", "no specification"),
        ("", "no specification"),
        ("name: a\n", "version"),
        ("name: ../a\nversion: 1\n", "gem name"),
        ("name: a\nversion: 1/2\n", "version"),
        ("name: a\nversion: 1\nplatform: a/b\n", "platform"),
        ("name: a\nversion: 1\ndependencies:\n- x\n", "dependency"),
        ("name: a\nversion: 1\ndependencies:\n- name: 'b|c'\n", "no name of a gem"),
        ("name: a\nversion: 1\ndependencies:\n- name: b\n  requirement: '>= 1|2'\n", "version"),
        ("name: a\nversion: 1\nrequired_ruby_version: '>= 0,x:1'\n", "version"),
        ("name: a\nversion: 1\nrequired_ruby_version:\n  requirements:\n  - - '=>'\n    - version: '1'\n", "condition"),
        ("name: a\nversion: 1\nlicenses: ['" + "x" * 65 + "']\n", "license"),
        ("name: a\nversion: 1\nmetadata: {k: '" + "x" * 1025 + "'}\n", "too long"),
    ],
)  # fmt: skip
def test_metadata_that_is_strange_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_yaml(text)


def test_an_alias_that_holds_itself_is_refused_even_from_a_registry() -> None:
    with pytest.raises(ValueError, match="names nothing"):
        yamltree.load(b"a: &a [*a]\n", aliases=True)


def test_many_aliases_cost_nothing() -> None:
    value = yamltree.load(BOMB.encode(), aliases=True)

    assert isinstance(value, dict)
    assert value["j"][0] is value["i"]  # type: ignore[index]


def member(**changes: bytes) -> bytes:
    members = {"metadata.gz": gzip.compress(Gem().metadata().encode()), "data.tar.gz": Gem().data(), **changes}
    return tarred({name.replace("__", "."): body for name, body in members.items()})


def linked(name: str, target: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, target
        archive.addfile(info)
    return gzip.compress(out.getvalue())


CUT = Gem().build()[:1100]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no metadata"),
        (b"PK\x03\x04" + b"x" * 600, "header"),
        (CUT, "ends in the middle"),
        (Gem().build(metadata=b"\xff\xfe"), "no YAML|no specification"),
        (tarred({"data.tar.gz": Gem().data()}), "no metadata"),
        (tarred({"metadata.gz": gzip.compress(Gem().metadata().encode())}), "no data.tar.gz"),
        (tarred({"metadata.gz": b"plain"}), "not gzipped"),
        (tarred({"metadata.gz": gzip.compress(b"a: 1\n" * 100)[:-20]}), "cut short"),
        (Gem().build(metadata=b"x: " + b"y" * (5 * 1024**2)), "larger than"),
        (Gem().build(data=b"no gzip"), "damaged"),
        (Gem().build(data=Gem().data()[:-12]), "cut short"),
        (Gem().build(data=gzip.compress(tarred({"../../etc/passwd": b""}))), "outside"),
        (Gem().build(data=gzip.compress(tarred({"/etc/passwd": b""}))), "outside"),
        (Gem().build(data=gzip.compress(tarred({"C:\\x": b""}))), "outside"),
        (Gem().build(data=linked("a", "/etc")), "outside"),
        (Gem().build(data=linked("a/b", "../../c")), "outside"),
        (Gem().build(data=gzip.compress(b"x" * 600)), "header"),
        (member(checksums__yaml__gz=gzip.compress(b"SHA256:\n  metadata.gz: " + b"0" * 64)), "SHA256 checksum"),
        (member(checksums__yaml__gz=gzip.compress(b"- a")), "no checksums"),
        (member(checksums__yaml__gz=gzip.compress(b"[")), "cannot be read"),
    ],
)  # fmt: skip
def test_files_that_are_no_honest_gems_are_refused(body: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(body)


def test_links_inside_of_a_gem_are_fine() -> None:
    assert read(Gem().build(data=linked("a/b/c", "../../d"))).spec.name == "hola"


def test_a_gem_that_unpacks_far_beyond_its_size_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemfile, "_LEAST_INFLATED", 1024**2)
    data = gzip.compress(tarred({"zeros": bytes(8 * 1024**2)}), 9)

    with pytest.raises(ValueError, match="far more than its size"):
        read(Gem().build(data=data))


def test_too_many_members_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 64 members"):
        read(tarred({f"m{n}": b"" for n in range(70)}))


def test_a_member_twice_is_refused() -> None:
    whole = Gem().build()
    first = whole[: 512 + (int(whole[124:135], 8) + 511) // 512 * 512]

    with pytest.raises(ValueError, match="two members"):
        read(first + whole)


def test_what_a_registry_has_is_read_without_looking_at_its_contents() -> None:
    body = Gem().build(data=b"whatever", checksums=False)

    assert read(body, lenient=True).spec.name == "hola"


def test_gems_without_checksums_are_older() -> None:
    assert read(Gem().build(checksums=False)).spec.name == "hola"


def test_a_markdown_readme_comes_before_others() -> None:
    gem = replace(Gem(readme=None), files={"README": b"plain", "README.md": b"mark", "README.txt": b"text"})

    assert read(gem.build()).readme == "mark"
    assert read(Gem(readme=None).build()).readme is None
