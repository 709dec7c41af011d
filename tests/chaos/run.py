"""Chaos: clients work while processes of every kind are killed and frozen; then everything must be there, once.

`make chaos [MINUTES=30] [SEED=n]`. A platform of its own on free ports, in mode test; exit code 1 when anything was
lost, done twice, reordered or never asked for. The seed decides who is struck when and what the clients do; what meets
what depends on time, so a seed narrows a violation down but does not repeat it exactly.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / part) for part in ("chaos", "faults", "story", "support", "../deploy/local")]

from heavy import Heavy  # noqa: E402
from judging import ChaosOracle  # noqa: E402
from mischief import Mischief  # noqa: E402
from rig.ground import Ground, ground  # noqa: E402
from rig.ledger import Ledger  # noqa: E402
from rig.oracle import Before  # noqa: E402
from rig.processes import wait_for  # noqa: E402
from rig.settling import pending  # noqa: E402
from rig.verdict import Verdict  # noqa: E402
from rig.watching import Watcher  # noqa: E402
from summary import Summary  # noqa: E402

WATCHED = (("manager", ("user", "students")), ("manager", ("user",)), ("instructor", ("students",)))
SETTLE_SECONDS = 180.0


def main() -> int:
    options = _options()
    print(f"chaos, seed {options.seed}: {options.minutes:g} minutes", flush=True)
    with ground() as field:
        summary = chaos(field, options.seed, options.minutes * 60, options.rate)
        print(summary, flush=True)
        if summary.verdict:
            print(f"\n{summary.verdict}", file=sys.stderr)
            if options.keep:
                input(f"kept for a look: OCHAQ_LOCAL={field.platform.state}; Enter ends it ")
    return 1 if summary.verdict else 0


def chaos(field: Ground, seed: int, seconds: float, rate: float) -> Summary:
    """One run on a quiet platform, from the first operation to the verdict."""
    field.settle()
    before = Before.of(field.databases)
    # Those that generate students take turns and are left to `Heavy`: more of them would only queue up.
    kinds = tuple(kind for kind in field.kinds if kind != "students.generate")
    ledger = Ledger(field.campus, seed, f"chaos{seed}", 0, kinds, rate=rate, patience=SETTLE_SECONDS)
    mischief, heavy = Mischief(field.processes, Random(seed)), Heavy(ledger, Random(seed + 1))
    with ExitStack() as stack:
        watchers = [stack.enter_context(Watcher(field.campus, role, topics)) for role, topics in WATCHED]
        ledger.start()
        heavy.start()
        _strike(mischief, ledger, seconds)
        over = time.monotonic()
        verdict = Verdict()
        try:
            heavy.stop()
            ledger.finish(SETTLE_SECONDS)
            heavy.join(SETTLE_SECONDS)
            _wait_quiet(field)
        except AssertionError as failure:
            verdict.wrong.append(str(failure))
        settling = time.monotonic() - over
        verdict.add(ChaosOracle(field.campus, field.databases, ledger, watchers, before).judge())
    return Summary(
        seed=seed,
        seconds=seconds,
        settling=settling,
        struck=mischief.done,
        operations=ledger.operations,
        answers=ledger.statuses(),
        events=_events(field, before),
        shown=sum(len(events) for watcher in watchers for events in watcher.shown.values()),
        reconnects=sum(watcher.reconnects for watcher in watchers),
        told_missing=sum(watcher.told_missing.total() for watcher in watchers),
        verdict=verdict,
    )


def _wait_quiet(field: Ground) -> None:
    """Until all are ready and nothing is on its way. Not `settle`: that mends what the oracle is to find."""
    field.processes.wait_ready(SETTLE_SECONDS)
    wait_for(lambda: not pending(field.databases), SETTLE_SECONDS, lambda: f"quiet: {pending(field.databases)}", 0.2)


def _strike(mischief: Mischief, ledger: Ledger, seconds: float) -> None:
    mischief.start()
    end, told = time.monotonic() + seconds, time.monotonic()
    try:
        while time.monotonic() < end:
            time.sleep(0.2)
            if time.monotonic() - told >= 60:
                told = time.monotonic()
                strikes = sum(mischief.done.values())
                print(f"{end - told:.0f} s left: {strikes} strikes, {len(ledger.acknowledged)} operations", flush=True)
    finally:
        mischief.stop()


def _events(field: Ground, before: Before) -> dict[str, int]:
    query = "SELECT count(*) FROM outbox WHERE created_at >= %s"
    return {
        "web": field.databases.number("web", query, (before.at,)),
        "files": field.databases.number("files", query, (before.at,)),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--rate", type=float, default=20.0, help="operations a second of all clients together")
    parser.add_argument("--keep", action="store_true", help="wait with the end of a platform that broke a promise")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
