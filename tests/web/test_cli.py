"""The command line as users run it: exit status, one-line errors, the drain."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config as BotoConfig

from registry import __version__
from tests.harness import ACCESS_KEY, ACCOUNT, REGION, SECRET_KEY, basic

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.Popen[str]]


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PACKYARD_", "AWS_"))}
    return {
        **clean,
        "PYTHONPATH": str(ROOT),
        "PACKYARD_ADMIN_ACCESS_KEY_ID": ACCESS_KEY,
        "PACKYARD_ADMIN_SECRET_ACCESS_KEY": SECRET_KEY,
        **more,
    }


def packyard(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "registry", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment(**more), capture_output=True, text=True, timeout=60)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts servers, and sees to it that none is left."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "registry", "serve", "--port", "0", "--data", str(tmp_path / "data")]
        with (tmp_path / "log").open("a") as log:
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=tmp_path,
                env=environment(**more),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"Packyard listens on (http://127\.0\.0\.1:\d+)\n", line)
    assert found is not None, line
    return found[1]


def client(url: str):  # type: ignore[no-untyped-def]
    return boto3.session.Session().client(
        "codeartifact",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=BotoConfig(retries={"max_attempts": 0}),
    )


def test_the_version_is_printed(tmp_path: Path) -> None:
    done = packyard("version", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, f"packyard {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "more", "status", "message"),
    [
        (["serve", "--port", "99999"], {}, 2, "at most 65535"),
        (["serve"], {"PACKYARD_SERVER_PROT": "1"}, 2, "nearest known one is PACKYARD_SERVER_PORT"),
        (["serve", "--config", "none.toml"], {}, 2, "cannot be read"),
        (["serve"], {"PACKYARD_CONFIG": "none.toml"}, 2, "cannot be read"),
        (["serve", "--host", "no.such.host.invalid"], {}, 2, "is no address of this machine"),
        (["serve", "--data", "/proc/nothing"], {}, 1, "packyard: "),
        (["serve", "--port", "0"], {"PACKYARD_SERVER_TLS_CERTIFICATE": "a", "PACKYARD_SERVER_TLS_KEY": "b"}, 1, ": "),
        (["serve", "--port", "0"], {"PACKYARD_MASTER_KEY": "short"}, 1, "PACKYARD_MASTER_KEY"),
        (["check", "--data", "/proc/nothing"], {}, 1, "packyard: "),
    ],
)
def test_what_goes_wrong_is_one_line(
    tmp_path: Path, arguments: list[str], more: dict[str, str], status: int, message: str
) -> None:
    done = packyard(*arguments, cwd=tmp_path, **more)

    assert done.returncode == status, done
    ours = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(ours) == 1, done.stderr
    assert message in ours[0]


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = packyard("serve", "--port", str(taken.getsockname()[1]), cwd=tmp_path)

    assert done.returncode == 1
    assert "Address already in use" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_ends_before_the_server_does(run: Run, number: signal.Signals) -> None:
    process = run()
    url = address(process)
    aws = client(url)
    aws.create_domain(domain="dom")
    aws.create_repository(domain="dom", repository="repo")
    token = aws.get_authorization_token(domain="dom")["authorizationToken"]
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as upload:
        path = f"/generic/d/dom-{ACCOUNT}/repo/ns/p/1/a.bin"
        head = f"PUT {path} HTTP/1.1\r\nHost: h\r\nAuthorization: {basic(token)}\r\nContent-Length: 6\r\n"
        upload.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert upload.recv(1000).startswith(b"HTTP/1.1 100")

        process.send_signal(number)
        _refused(port)
        upload.sendall(b"abcdef")
        answer = upload.recv(1000)

    assert answer.startswith(b"HTTP/1.1 201")
    assert b"connection: close" in answer
    assert process.wait(20) == 0


def _refused(port: int) -> None:
    """Wait until nothing is accepted any more."""

    def refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return True
        return False

    _until(refused)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "It did not come about"
        time.sleep(0.01)


def test_a_quickstart_is_ready_to_use_and_does_no_harm_the_second_time(run: Run, tmp_path: Path) -> None:
    for _ in range(2):
        process = run("--quickstart")
        aws = client(address(process))

        main = aws.describe_repository(domain="main", repository="main")["repository"]
        names = [each["repositoryName"] for each in main["upstreams"]]
        assert {"npm-store", "pypi-store"} <= set(names)
        store = aws.describe_repository(domain="main", repository="npm-store")["repository"]
        assert [each["externalConnectionName"] for each in store["externalConnections"]] == ["public:npmjs"]
        process.terminate()
        assert process.wait(20) == 0
        assert process.stdout is not None
        text = process.stdout.read()
        assert str(tmp_path / "data" / "credentials") in text
        assert "aws codeartifact login --tool npm" in text


def test_several_processes_share_a_port_and_end_together(run: Run) -> None:
    process = run("--workers", "2")
    url = address(process)
    aws = client(url)
    aws.create_domain(domain="dom")
    for number in range(4):
        client(url).create_repository(domain="dom", repository=f"r{number:02}")

    assert len(client(url).list_repositories(maxResults=100)["repositories"]) == 4
    process.terminate()
    assert process.wait(30) == 0


def test_a_process_that_dies_is_replaced(run: Run) -> None:
    process = run("--workers", "2")
    url = address(process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    victim = int(children.read_text().split()[0])  # the one that has answered

    os.kill(victim, signal.SIGKILL)

    _until(lambda: len(children.read_text().split()) == 2 and str(victim) not in children.read_text().split())
    assert client(url).list_domains()["domains"] == []
    process.terminate()
    assert process.wait(30) == 0


def test_no_process_outlives_the_first(run: Run) -> None:
    process = run("--workers", "2")
    address(process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    _until(lambda: len(children.read_text().split()) == 2)
    both = children.read_text().split()

    process.kill()
    process.wait(20)

    _until(lambda: not any(Path(f"/proc/{each}").exists() for each in both))


def test_migrate_sweep_and_check_work_on_a_data_directory(tmp_path: Path) -> None:
    data = str(tmp_path / "data")

    results = [
        packyard(*words, "--data", data, cwd=tmp_path)
        for words in (["migrate"], ["sweep", "--dry-run"], ["sweep"], ["check"])
    ]

    assert [each.returncode for each in results] == [0, 0, 0, 0], results
    assert results[-1].stdout.startswith("0 files, 0 bytes: 0 faults")


def test_a_damaged_file_is_found_and_taken_out_of_use(run: Run, tmp_path: Path) -> None:
    process = run()
    aws = client(address(process))
    aws.create_domain(domain="dom")
    aws.create_repository(domain="dom", repository="repo")
    aws.publish_package_version(
        domain="dom",
        repository="repo",
        format="generic",
        namespace="ns",
        package="p",
        packageVersion="1",
        assetName="a.bin",
        assetContent=b"good",
        assetSHA256=hashlib.sha256(b"good").hexdigest(),
    )
    process.terminate()
    process.wait(20)
    stored = next(
        path for path in (tmp_path / "data" / "blobs").rglob("*") if path.is_file() and path.stat().st_size == 4
    )
    stored.chmod(0o600)
    stored.write_bytes(b"evil")

    found = packyard("check", "--data", str(tmp_path / "data"), cwd=tmp_path)
    repaired = packyard("check", "--repair", "--data", str(tmp_path / "data"), cwd=tmp_path)

    assert found.returncode == 1
    assert found.stdout.startswith("digest: 770e")
    assert repaired.returncode == 1
