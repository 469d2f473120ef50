"""Builds wheels, sdists and eggs, a few hundred bytes each, and upload forms for them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.harness import Answer
from tests.samples.base import Shop

FIXED = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Project:
    """A release; `name` and `version` are written as given, into metadata and file names."""

    name: str = "sample-pkg"
    version: str = "1.0.0"
    summary: str = "A sample"
    description: str = "# Sample\n\nRead me.\n"
    requires_python: str | None = ">=3.8"
    requires: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = "VALUE = 1\n"

    @property
    def module(self) -> str:
        return self.name.lower().replace("-", "_").replace(".", "_")


def metadata(project: Project, version: str = "2.1") -> bytes:
    """METADATA, or PKG-INFO."""
    lines = [f"Metadata-Version: {version}", f"Name: {project.name}", f"Version: {project.version}"]
    lines.append(f"Summary: {project.summary}")
    lines += [f"{key}: {value}" for key, value in project.headers.items()]
    if project.requires_python:
        lines.append(f"Requires-Python: {project.requires_python}")
    lines += [f"Requires-Dist: {text}" for text in project.requires]
    lines.append("Description-Content-Type: text/markdown")
    return ("\n".join(lines) + "\n\n" + project.description).encode()


def wheel(project: Project, tag: str = "py3-none-any") -> tuple[str, bytes]:
    """(file name, bytes) of an installable wheel."""
    stem = f"{project.module}-{project.version.replace('-', '_')}"
    about = f"Wheel-Version: 1.0\nGenerator: sample\nRoot-Is-Purelib: true\nTag: {tag}\n"
    files = {
        f"{project.module}/__init__.py": project.code.encode(),
        f"{stem}.dist-info/METADATA": metadata(project),
        f"{stem}.dist-info/WHEEL": about.encode(),
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b'=').decode()},{len(body)}\n"
        for name, body in files.items()
    )
    files[f"{stem}.dist-info/RECORD"] = f"{record}{stem}.dist-info/RECORD,,\n".encode()
    return f"{stem}-{tag}.whl", zipped(files)


def sdist(project: Project, *, pkg_info: bool = True) -> tuple[str, bytes]:
    """(file name, bytes) of a source distribution that setuptools builds."""
    stem = f"{project.module}-{project.version}"
    pyproject = (
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n\n'
        f'[project]\nname = "{project.name}"\nversion = "{project.version}"\n'
        f'[tool.setuptools]\npackages = ["{project.module}"]\n'
    )
    files = {
        f"{stem}/pyproject.toml": pyproject.encode(),
        f"{stem}/{project.module}/__init__.py": project.code.encode(),
    }
    if pkg_info:
        files[f"{stem}/PKG-INFO"] = metadata(project)
    return f"{stem}.tar.gz", tarred(files)


def egg(project: Project) -> tuple[str, bytes]:
    """(file name, bytes) of a legacy egg."""
    return f"{project.module}-{project.version}-py3.11.egg", zipped({"EGG-INFO/PKG-INFO": metadata(project)})


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive; the same files always give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name, FIXED), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    """A gzipped tar archive; the same files always give the same bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return gzip.compress(plain.getvalue(), mtime=0)


def form(project: Project, filename: str, body: bytes, **changed: str | None) -> list[tuple[str, str]]:
    """The fields that twine sends, without the file; None leaves one out."""
    kind = "bdist_wheel" if filename.endswith(".whl") else "sdist"
    fields: dict[str, str | None] = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": project.name,
        "version": project.version,
        "filetype": kind,
        "pyversion": "py3" if kind == "bdist_wheel" else "source",
        "summary": project.summary,
        "sha256_digest": hashlib.sha256(body).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(body, digest_size=32).hexdigest(),
        **changed,
    }
    return [(name.replace("action_", ":action"), value) for name, value in fields.items() if value is not None]


def multipart(
    fields: Sequence[tuple[str, str | bytes]],
    files: Sequence[tuple[str, str, bytes]],
    boundary: str = "c0ffee",
) -> tuple[str, bytes]:
    """(Content-Type, body) of a form; a file is (field, file name, bytes)."""
    out = bytearray()
    for name, value in fields:
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        out += value if isinstance(value, bytes) else value.encode()
        out += b"\r\n"
    for name, filename, body in files:
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'.encode()
        out += b"Content-Type: application/octet-stream\r\n\r\n" + body + b"\r\n"
    out += f"--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", bytes(out)


def upload(project: Project, filename: str, body: bytes, **changed: str | None) -> tuple[str, bytes]:
    """(Content-Type, body) of a whole upload."""
    return multipart(form(project, filename, body, **changed), [("content", filename, body)])


class _Sample:
    """Implements tests.samples.base.Sample: one wheel a version."""

    format = "pypi"
    connection = "public:pypi"
    dependency = "dep"
    readme = True

    def coordinates(self, word: str) -> tuple[str | None, str]:
        return None, word

    def publish(self, shop: Shop, word: str, version: str = "1.0.0", *, marker: str = "") -> Answer:
        project = Project(word, version, description=f"# {word}\n", requires=("dep>=1",), code=f"MARKER = {marker!r}\n")
        kind, body = upload(project, *wheel(project))
        return shop("POST", "", body, {"Content-Type": kind})

    def index(self, word: str) -> str:
        return f"simple/{word}/"

    def versions(self, answer: Answer, word: str) -> set[str]:
        return set(re.findall(rf">{word}-([^-]+)-py3-none-any\.whl</a>", answer.text))

    def asset(self, word: str, version: str = "1.0.0") -> tuple[str, str]:
        name = f"{word}-{version}-py3-none-any.whl"
        return name, f"simple/{word}/{version}/{name}"


SAMPLE = _Sample()
