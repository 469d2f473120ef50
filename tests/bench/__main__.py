"""Runs the rows and writes docs/performance.md: `python -m tests.bench [--only metadata,files] [--seconds 3]`."""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import buckets, engines, groups, maven, nuget, rows, ruby
from tests.bench.table import Table

SECTIONS = {
    **rows.SECTIONS,
    "engines": engines.engines,
    "buckets": buckets.buckets,
    "groups": groups.groups,
    "nuget": nuget.nuget,
    "maven": maven.maven,
    "ruby": ruby.ruby,
}
ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("--only", default="", help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--seconds", type=int, default=3, help="length of each measurement")
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    wanted = [name for name in options.only.split(",") if name] or list(SECTIONS)

    began = time.monotonic()
    tables: list[Table] = []
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="packyard-bench-") as scratch:
            Path(scratch).chmod(0o755)
            for table in SECTIONS[name](Path(scratch), options.seconds):
                print(table.markdown(), flush=True)
                tables.append(table)
    took = time.monotonic() - began
    if not options.no_write and not options.only:
        write(tables, took)
    return 0


def write(tables: list[Table], took: float) -> None:
    """Replace the figures of docs/performance.md between its two marks."""
    path = ROOT / "docs" / "performance.md"
    before, _, rest = path.read_text().partition("<!-- figures -->")
    _, _, after = rest.partition("<!-- end of figures -->")
    machine = f"{platform.machine()}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d', time.gmtime())}"
    intro = f"One run of `make bench` on two cores ({machine}), {took / 60:.0f} minutes, loopback only.\n"
    figures = "\n".join([intro, *(table.markdown() for table in tables)])
    path.write_text(f"{before}<!-- figures -->\n\n{figures}\n<!-- end of figures -->{after}")


sys.exit(main())
