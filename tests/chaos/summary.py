"""What is told of one run of chaos."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from mischief import CHILD, FREEZE, KILL, VICTIMS
from rig.calls import Operation
from rig.verdict import Verdict


@dataclass(frozen=True)
class Summary:
    """`seconds` is how long processes were struck, `settling` how long it took until all was quiet after that."""

    seed: int
    seconds: float
    settling: float
    struck: Counter[tuple[str, str]]
    operations: list[Operation]
    answers: Counter[str]
    events: dict[str, int]
    shown: int
    reconnects: int
    told_missing: int
    verdict: Verdict

    def __str__(self) -> str:
        acknowledged = [operation for operation in self.operations if operation.acknowledged]
        replayed = sum(operation.replayed for operation in acknowledged)
        slowest = max((operation.seconds for operation in self.operations if operation.attempts), default=0.0)
        five = sum(many for status, many in self.answers.items() if status.startswith("5"))
        events = ", ".join(f"{many} of {name}" for name, many in self.events.items())
        totals = ", ".join(f"{self._sum(act)} {act}" for act in (KILL, CHILD, FREEZE))
        answers = " ".join(f"{status}×{many}" for status, many in sorted(self.answers.items()))
        found = self.verdict
        lines = [
            f"chaos, seed {self.seed}: {self.seconds / 60:.1f} minutes, then quiet after {self.settling:.1f} s",
            "",
            *self._table(),
            "",
            f"processes: {totals}",
            f"operations: {len(acknowledged)} of {len(self.operations)} acknowledged, {replayed} of them replayed",
            f"waiting: slowest {slowest:.1f} s, longest time without any answer {longest_gap(acknowledged):.1f} s",
            f"answers: {answers}; 5xx {five}",
            f"events: {events}; {self.shown} shown to watchers over {self.reconnects} reconnections,"
            f" {self.told_missing} that they were told to fetch anew",
            f"lost {len(found.lost)}, ghosts {len(found.ghosts)}, duplicates {len(found.dup)}, "
            f"reordered {len(found.reordered)}, otherwise wrong {len(found.wrong)}",
        ]
        return "\n".join(lines)

    def _sum(self, act: str) -> int:
        return sum(many for (_, done), many in self.struck.items() if done == act)

    def _table(self) -> list[str]:
        lines = ["| process | killed | child killed | frozen |", "|---|---|---|---|"]
        for victim in VICTIMS:
            cells = [str(self.struck[victim.name, act]) for act in (KILL, CHILD, FREEZE)]
            lines.append(f"| {victim.name} | {' | '.join(cells)} |")
        return lines


def longest_gap(acknowledged: list[Operation]) -> float:
    """The longest time in which no client heard a yes: what an outage is to those outside."""
    ends = sorted(operation.began + operation.seconds for operation in acknowledged)
    return max((later - earlier for earlier, later in pairwise(ends)), default=0.0)
