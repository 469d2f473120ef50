"""Counters of this process, as Prometheus text."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter

_HELP = {
    "packyard_requests_total": "Requests answered, by plane or format and status class.",
    "packyard_response_bytes_total": "Body bytes sent.",
    "packyard_request_seconds_total": "Time spent on requests.",
    "packyard_hot_hits_total": "Requests answered from the hot cache.",
}


class Metrics:
    """Counts; `count` is called once per request."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.sent: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.hot = 0
        self.started = time.time()

    def count(self, plane: str, status: int, sent: int, seconds: float) -> None:
        """One request is over."""
        self.requests[plane, status // 100] += 1
        self.sent[plane] += sent
        self.seconds[plane] += seconds  # type: ignore[assignment]

    def text(self, gauges: dict[str, float]) -> str:
        """The exposition; `gauges` are added as they are."""
        lines: list[str] = []
        _family(
            lines,
            "packyard_requests_total",
            [
                (f'plane="{plane}",status="{status}xx"', value)
                for (plane, status), value in sorted(self.requests.items())
            ],
        )
        _family(lines, "packyard_response_bytes_total", [(f'plane="{p}"', v) for p, v in sorted(self.sent.items())])
        _family(lines, "packyard_request_seconds_total", [(f'plane="{p}"', v) for p, v in sorted(self.seconds.items())])
        _family(lines, "packyard_hot_hits_total", [("", self.hot)])
        usage = resource.getrusage(resource.RUSAGE_SELF)
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        for name, value in {
            "process_cpu_seconds_total": usage.ru_utime + usage.ru_stime,
            "process_start_time_seconds": self.started,
            "packyard_peak_resident_memory_bytes": peak,
            **gauges,
        }.items():
            lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}\n{name} {value}\n")
        return "".join(lines)


def _family(lines: list[str], name: str, samples: list[tuple[str, float]]) -> None:
    lines.append(f"# HELP {name} {_HELP[name]}\n# TYPE {name} counter\n")
    lines.extend(f"{name}{{{labels}}} {value}\n" if labels else f"{name} {value}\n" for labels, value in samples)
