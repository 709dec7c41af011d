"""`make test-faults`: the matrix at length, with many seeds; prints a line for each run and writes a table.

    python tests/faults/run.py [--fault F7 …] [--seeds 20] [--seed 1] [--size long|short] [--table artifacts/faults.md]

Ends with 1 when any run found anything. A failing run names its seed; `SEED=n FAULT=F7 make test-faults` repeats it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
for folder in ("tests/faults", "tests/support", "tests/story", "deploy/local"):
    sys.path.insert(0, str(CHECKOUT / folder))

import matrix  # noqa: E402, F401 - registers the faults
from rig import faults  # noqa: E402
from rig.ground import ground  # noqa: E402
from rig.report import Row, table  # noqa: E402
from rig.scene import LONG, SHORT  # noqa: E402


def main(words: Sequence[str] | None = None) -> int:
    options = _options(words)
    chosen = {name: fault for name, fault in faults.known().items() if not options.fault or name in options.fault}
    rows: list[Row] = []
    began = time.monotonic()
    with ground() as own:
        for seed in range(options.seed, options.seed + options.seeds):
            for fault in chosen.values():
                rows.append(fault.play(own, seed, {"long": LONG, "short": SHORT}[options.size]))
                print(rows[-1], flush=True)
                _write(options.table, rows, options)
    print(f"\n{options.table.read_text()}\n{len(rows)} runs in {(time.monotonic() - began) / 60:.0f} minutes")
    return 0 if all(row.is_good for row in rows) else 1


def _write(path: Path, rows: list[Row], options: argparse.Namespace) -> None:
    """After every run, so that an interrupted evening leaves what it found."""
    titles = {name: fault.title for name, fault in faults.known().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    seeds = f"seeds {options.seed} to {max(row.seed for row in rows)}"
    head = f"`make test-faults`, {options.size} runs, {seeds}, {time.strftime('%Y-%m-%d')}\n\n"
    path.write_text(head + table(rows, titles))


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Break the platform in every way that the matrix names.")
    parser.add_argument("--fault", nargs="*", default=[], choices=[*faults.known()], metavar="F7")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds to run all chosen faults with")
    parser.add_argument("--seed", type=int, default=1, help="the first of them")
    parser.add_argument("--size", choices=("long", "short"), default="long")
    parser.add_argument("--table", type=Path, default=CHECKOUT / "artifacts" / "faults.md")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
