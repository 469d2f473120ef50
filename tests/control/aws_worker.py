"""Runs AWS CLI commands one after another, each as the `aws` command would: `python aws_worker.py`.

Saves the second that every process of the CLI takes to start.  It is a process of its own because importing the CLI
puts its own botocore in the place of everybody's.  Each line in is {"words", "environ"}, each line out
{"status", "out", "err"}.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys


class _Captured(io.TextIOWrapper):
    """Standard output with the `buffer` that the CLI streams to."""

    def __init__(self) -> None:
        self.raw_bytes = io.BytesIO()
        super().__init__(self.raw_bytes, encoding="utf-8", write_through=True)

    def text(self) -> str:
        return self.raw_bytes.getvalue().decode()


def main() -> None:
    from awscli.clidriver import create_clidriver

    for line in sys.stdin:
        job = json.loads(line)
        os.environ.update(job["environ"])
        out, err = _Captured(), _Captured()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = create_clidriver().main(job["words"])
        print(json.dumps({"status": status, "out": out.text(), "err": err.text()}), flush=True)


if __name__ == "__main__":
    main()
