"""A rotating file of JSON lines."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from registry.sinks.lines import RotatingLines


def line(number: int) -> bytes:
    return json.dumps({"number": number}).encode() + b"\n"


def numbers(path: Path) -> list[int]:
    return [json.loads(each)["number"] for each in path.read_text().splitlines()]


def test_a_full_file_gives_way_and_the_oldest_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "events.jsonl"
    lines = RotatingLines(path, limit=2 * len(line(0)), keep=2)

    for number in range(9):
        lines.write(line(number), durable=True)
    lines.close()

    assert [numbers(Path(f"{path}{end}")) for end in ("", ".1", ".2")] == [[8], [6, 7], [4, 5]]
    assert not Path(f"{path}.3").exists()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_cut_short_by_a_crash_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(line(1) + b'{"number": 2' + b" " * 200_000)

    lines = RotatingLines(path, limit=10**6, keep=1)
    lines.write(line(3), durable=False)

    assert numbers(path) == [1, 3]


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    lines = RotatingLines(path, limit=10**6, keep=1)
    lines.write(line(1), durable=False)
    path.rename(tmp_path / "kept")

    lines.write(line(2), durable=False)

    assert (numbers(tmp_path / "kept"), numbers(path)) == ([1], [2])


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource
    import signal

    path = tmp_path / "events.jsonl"
    lines = RotatingLines(path, limit=10**9, keep=1)
    lines.write(line(1), durable=False)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="large"):
            lines.write(b"".join(line(number) for number in range(2000)), durable=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)

    lines.write(line(2), durable=False)
    assert numbers(path) == [1, 2]


def _many(path: Path, start: int) -> None:
    lines = RotatingLines(path, limit=600, keep=1000)
    for number in range(start, start + 200):
        lines.write(line(number), durable=False)


def test_several_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_many, args=(path, start)) for start in (0, 200, 400)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    found = [number for each in tmp_path.glob("events.jsonl*") if each.suffix != ".lock" for number in numbers(each)]
    assert sorted(found) == list(range(600))
