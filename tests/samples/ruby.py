"""Gems made in code, as `gem build` makes them, and the requests that `gem push` sends."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.harness import Answer
from tests.samples.base import Shop

Requirement = Sequence[str]


@dataclass(frozen=True)
class Gem:
    """A gem; `needs` are (name, conditions, "runtime" or "development"), `more` further lines of its metadata."""

    name: str = "hola"
    version: str = "1.0.0"
    platform: str = "ruby"
    summary: str = "Says hello"
    readme: str | None = "# Hola\n"
    needs: Sequence[tuple[str, Requirement, str]] = ()
    ruby: Requirement = (">= 2.5",)
    rubygems: Requirement = (">= 0",)
    files: Mapping[str, bytes] = field(default_factory=dict)
    more: str = ""

    @property
    def tag(self) -> str:
        return self.version if self.platform == "ruby" else f"{self.version}-{self.platform}"

    @property
    def file(self) -> str:
        return f"{self.name}-{self.tag}.gem"

    def metadata(self) -> str:
        """As Psych writes a Gem::Specification (gem 3.3)."""
        return "\n".join(
            [
                "--- !ruby/object:Gem::Specification",
                f"name: {self.name}",
                "version: !ruby/object:Gem::Version",
                f"  version: '{self.version}'",
                f"platform: {self.platform}",
                "authors:\n- A. Author",
                "autorequire:",
                "bindir: bin",
                "cert_chain: []",
                "date: 2026-01-02 00:00:00.000000000 Z",
                "dependencies:" + ("" if self.needs else " []"),
                *(_dependency(*need) for need in self.needs),
                "description: A longer text",
                "email:\n- a@example.com",
                "executables: []",
                f"homepage: https://example.com/{self.name}",
                "licenses:\n- MIT",
                "metadata:\n  source_code_uri: https://example.com/source",
                "require_paths:\n- lib",
                f"required_ruby_version: {_requirement(self.ruby, 2)}",
                f"required_rubygems_version: {_requirement(self.rubygems, 2)}",
                "requirements: []",
                "rubygems_version: 3.3.15",
                "signing_key:",
                "specification_version: 4",
                f"summary: {self.summary}",
                "test_files: []",
                self.more,
            ]
        )

    def data(self) -> bytes:
        contents = {f"lib/{self.name}.rb": f"VERSION = {self.version!r}\n".encode(), **self.files}
        if self.readme is not None:
            contents["README.md"] = self.readme.encode()
        return gzip.compress(tarred(contents), mtime=0)

    def build(self, *, metadata: bytes | None = None, data: bytes | None = None, checksums: bool = True) -> bytes:
        """The .gem file."""
        members = {
            "metadata.gz": gzip.compress((self.metadata() + "\n").encode() if metadata is None else metadata, mtime=0),
            "data.tar.gz": self.data() if data is None else data,
        }
        lines = ["---"]
        for title, algorithm in (("SHA256", "sha256"), ("SHA512", "sha512")):
            lines.append(f"{title}:")
            lines += [f"  {name}: {hashlib.new(algorithm, body).hexdigest()}" for name, body in members.items()]
        if checksums:
            members["checksums.yaml.gz"] = gzip.compress("\n".join(lines).encode(), mtime=0)
        return tarred(members)


def tarred(members: Mapping[str, bytes]) -> bytes:
    """A plain tar archive; the same members always give the same bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            info.mode = 0o444
            archive.addfile(info, io.BytesIO(body))
    return out.getvalue()


def _requirement(conditions: Requirement, indent: int) -> str:
    pad = " " * indent
    lines = ["!ruby/object:Gem::Requirement", f"{pad}requirements:"]
    for condition in conditions:
        operator, _, version = condition.partition(" ")
        lines += [
            f'{pad}- - "{operator}"',
            f"{pad}  - !ruby/object:Gem::Version",
            f"{pad}    version: '{version}'",
        ]
    return "\n".join(lines)


def _dependency(name: str, conditions: Requirement, kind: str) -> str:
    return "\n".join(
        [
            "- !ruby/object:Gem::Dependency",
            f"  name: {name}",
            f"  requirement: {_requirement(conditions, 4)}",
            f"  type: :{kind}",
            "  prerelease: false",
            f"  version_requirements: {_requirement(conditions, 4)}",
        ]
    )


def push(shop: Shop, body: bytes) -> Answer:
    """As `gem push` of 3.3 does."""
    headers = {"Content-Type": "application/octet-stream", "Accept": "*/*", "User-Agent": "Ruby, RubyGems/3.3.15"}
    return shop("POST", "api/v1/gems", body, headers)


def tags(info: str) -> list[str]:
    """VERSION[-PLATFORM] of each line of a page of the compact index."""
    return [line.split(" ")[0] for line in info.split("---\n", 1)[1].splitlines()]


class Sample:
    """See tests.samples.base.Sample."""

    format = "ruby"
    connection: str | None = "public:ruby-gems-org"
    dependency: str | None = "rack"
    readme = True

    def gem(self, word: str, version: str = "1.0.0", marker: str = "") -> Gem:
        gem = Gem(word, version, readme=f"# {word}\n", needs=[("rack", ["~> 2.0", ">= 2.0.1"], "runtime")])
        return replace(gem, files={"marker.txt": marker.encode()}) if marker else gem

    def coordinates(self, word: str) -> tuple[str | None, str]:
        return None, word

    def publish(self, shop: Shop, word: str, version: str = "1.0.0", *, marker: str = "") -> Answer:
        return push(shop, self.gem(word, version, marker).build())

    def index(self, word: str) -> str:
        return f"info/{word}"

    def versions(self, answer: Answer, word: str) -> set[str]:
        return set(tags(answer.text))

    def asset(self, word: str, version: str = "1.0.0") -> tuple[str, str]:
        name = f"{word}-{version}.gem"
        return name, f"gems/{name}"


SAMPLE = Sample()
