"""kill -9 in the middle of publishes of every format at once: see test_killed; here the formats' own requests."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.faults.test_killed import _ENV, _PACKYARD, client, running
from tests.harness import Server
from tests.samples import cargo, maven, nuget, pypi, ruby, swift
from tests.samples.base import Sample, Shop

SAMPLES: tuple[Sample, ...] = (cargo.SAMPLE, maven.SAMPLE, nuget.SAMPLE, ruby.SAMPLE, swift.SAMPLE, pypi.SAMPLE)


class Remote(Server):
    """The requests of the harness, sent to a server that runs by itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._tokens = {}

    def boto(self, *_: Any, **__: Any) -> Any:
        return client(self.url)


def publish_until_killed(server: Remote, process: subprocess.Popen[bytes], after: int) -> dict[str, set[str]]:
    """One publisher of each format; kill the server when so many publishes were acknowledged; return those."""
    acknowledged: dict[str, set[str]] = {sample.format: set() for sample in SAMPLES}
    turn = threading.Lock()
    odd: list[object] = []
    server.token()

    def work(sample: Sample) -> None:
        shop = Shop(server, sample.format, "repo")
        for number in range(1000):
            word = "kill" + "".join(chr(ord("a") + int(each)) for each in str(number))
            try:
                answer = sample.publish(shop, word)
            except (OSError, EOFError):
                return
            except Exception as err:  # http.client's, of an answer that was cut short
                if type(err).__module__ != "http.client":
                    odd.append(err)
                return
            if answer.status >= 300:
                odd.append((sample.format, answer))
                return
            with turn:
                acknowledged[sample.format].add(word)
                if sum(map(len, acknowledged.values())) == after:
                    os.killpg(process.pid, signal.SIGKILL)

    workers = [threading.Thread(target=work, args=(sample,)) for sample in SAMPLES]
    for each in workers:
        each.start()
    for each in workers:
        each.join(60)
    assert odd == []
    return acknowledged


def whole(server: Remote, sample: Sample, word: str) -> None:
    """The index lists the version, its file is there, and the API's digest is the file's."""
    shop = Shop(server, sample.format, "repo")
    index = shop("GET", sample.index(word))
    assert index.status == 200, (sample.format, word, index)
    assert sample.versions(index, word) == {"1.0.0"}
    name, path = sample.asset(word)
    file = shop("GET", path)
    assert file.status == 200, (sample.format, word)
    namespace, package = sample.coordinates(word)
    key = {"format": sample.format, "package": package, **({"namespace": namespace} if namespace else {})}
    assets = server.boto().list_package_version_assets(domain="dom", repository="repo", packageVersion="1.0.0", **key)[
        "assets"
    ]
    (asset,) = [each for each in assets if each["name"] == name]
    assert asset["size"] == len(file.body)


@pytest.mark.slow
def test_acknowledged_publishes_of_every_format_survive_whole(tmp_path: Path) -> None:
    with running(tmp_path) as (url, process):
        server = Remote(url)
        server.make("dom", "repo")
        acknowledged = publish_until_killed(server, process, random.randint(20, 50))

    samples = {sample.format: sample for sample in SAMPLES}
    with running(tmp_path) as (url, _):
        server = Remote(url)
        rows = server.boto().list_packages(domain="dom", repository="repo", maxResults=1000)["packages"]
        there = {(row["format"], row["package"]) for row in rows}
        assert {(format, word) for format, words in acknowledged.items() for word in words} <= there
        for format, word in there:
            if word in acknowledged[format] or format != "maven":
                whole(server, samples[format], word)  # not told in time, but whole
            else:
                # A deploy has several requests: until the last one there is no version to install.
                index = Shop(server, format, "repo")("GET", samples[format].index(word))
                assert index.status == 404 or samples[format].versions(index, word) == {"1.0.0"}

    checked = subprocess.run(
        [_PACKYARD, "check", "--data", str(tmp_path / "data")],
        env={**os.environ, **_ENV}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
