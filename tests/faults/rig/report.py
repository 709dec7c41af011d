"""What is told of the runs: a line for each while they go, and a table at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from rig.verdict import Verdict


@dataclass(frozen=True)
class Row:
    """One run of one fault. Times are seconds; `recover` counts from the fault's end."""

    fault: str
    seed: int
    operations: int
    verdict: Verdict
    detect: float | None
    recover: float | None
    limit: float
    max_latency: float
    answers: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return not self.verdict

    @property
    def answers_5xx(self) -> int:
        return sum(many for status, many in self.answers.items() if status.startswith("5"))

    def __str__(self) -> str:
        v = self.verdict
        state = "ok  " if self.is_good else "FAIL"
        counts = f"lost {len(v.lost)} dup {len(v.dup)} reordered {len(v.reordered)} ghosts {len(v.ghosts)}"
        times = f"detect {_s(self.detect)} recover {_s(self.recover)} of {self.limit:g} s"
        answers = " ".join(f"{status}×{many}" for status, many in sorted(self.answers.items()))
        line = f"{state} {self.fault} seed {self.seed}: {self.operations} operations, {counts}, {times}, "
        line += f"slowest {self.max_latency:.1f} s, answers {answers}, {self.seconds:.0f} s in all"
        return line if self.is_good else f"{line}\n{v}"


def table(rows: Sequence[Row], titles: dict[str, str]) -> str:
    """A Markdown table with one line per fault."""
    head = "| fault | runs | good | lost | dup | reordered | ghosts | detect p50 | recover p50 | recover max | limit |"
    head += " slowest operation | 5xx answers |"
    lines = [head, "|---" * 13 + "|"]
    for name, title in titles.items():
        mine = [row for row in rows if row.fault == name]
        if mine:
            lines.append(_line(name, title, mine))
    return "\n".join(lines) + "\n"


def _line(name: str, title: str, rows: Sequence[Row]) -> str:
    sums = [sum(len(vars(row.verdict)[kind]) for row in rows) for kind in ("lost", "dup", "reordered", "ghosts")]
    detects = [row.detect for row in rows if row.detect is not None]
    recovers = [row.recover for row in rows if row.recover is not None]
    cells = [
        f"{name} {title}",
        len(rows),
        sum(row.is_good for row in rows),
        *sums,
        _s(median(detects) if detects else None),
        _s(median(recovers) if recovers else None),
        _s(max(recovers) if recovers else None),
        f"{rows[0].limit:g} s" if rows[0].limit else "-",
        _s(max(row.max_latency for row in rows)),
        sum(row.answers_5xx for row in rows),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def _s(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"
