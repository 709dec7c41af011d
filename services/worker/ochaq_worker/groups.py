"""Many short jobs that came with one command: claimed together and told together as long as they are quick.

A job that does nothing costs a claim and a finish, and little else. So jobs that are over in a moment share these
calls: one at first, then twice as many with every round, and one again after a round that was not quick. Each is still
a job of its own, with a lease, a fence and an end. Whoever has waited for a slow neighbour for a second is told or
handed back, so that nobody's lease runs out in a queue (docs/decisions/0015).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

import structlog
from ochaq_shared.http import Unavailable, UpstreamProblem

from ochaq_worker.keeper import Keeper
from ochaq_worker.leases import Slip
from ochaq_worker.runs import Rule, finish, outcome_of, worker_name
from ochaq_worker.web import Claim, LeaseLost, Outcome, Web

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 25
QUICK_SECONDS = 0.02
PATIENCE_SECONDS = 1.0


class Groups:
    """Runs groups of jobs, one after another; one per pool process, which it knows the pace of."""

    def __init__(self, web: Web, keeper: Keeper, slip: Slip | None) -> None:
        self._web = web
        self._keeper = keeper
        self._slip = slip
        self._at_once = 1

    def run(self, job_ids: Sequence[str], rules: Mapping[str, Rule]) -> None:
        """Run all that can be claimed. Nothing a rule does is raised further."""
        left = deque(job_ids)
        while left:
            chosen = [left.popleft() for _ in range(min(self._at_once, len(left)))]
            began = time.monotonic()
            self._run_together(chosen, rules)
            quick = time.monotonic() - began < QUICK_SECONDS * len(chosen)
            self._at_once = min(self._at_once * 2, MOST_AT_ONCE) if quick else 1

    def _run_together(self, job_ids: Sequence[str], rules: Mapping[str, Rule]) -> None:
        try:
            claims = self._web.claim_many(job_ids, worker_name())
        except (Unavailable, UpstreamProblem) as refusal:
            # A lost command is no lost job: whatever still needs doing is dispatched again by web's reaper.
            log.info("group_not_claimed", jobs=len(job_ids), reason=f"{type(refusal).__name__}: {refusal}")
            return
        hand = _Hand(self._web, claims)
        while (claim := hand.next()) is not None:
            if self._slip:
                self._slip.name(hand.held(claim))
            self._run_one(hand, claim, rules)
        hand.tell()
        if self._slip:
            self._slip.clear()

    def _run_one(self, hand: _Hand, claim: Claim, rules: Mapping[str, Rule]) -> None:
        with structlog.contextvars.bound_contextvars(job=claim.id, kind=claim.kind, fence=claim.fence):
            try:
                hand.ended(claim, outcome_of(self._web, self._keeper, claim, rules, hand.relieve))
            except (LeaseLost, Unavailable) as error:
                log.warning("run_abandoned", reason=f"{type(error).__name__}: {error}")


class _Hand:
    """The claims of one round: those that wait for their turn, and those that are over and not told yet.

    The run's thread goes from one to the next; the keeper calls `relieve` while a run lasts.
    """

    def __init__(self, web: Web, claims: Sequence[Claim]) -> None:
        self._web = web
        self._began = time.monotonic()
        self._waiting = deque(claims)
        self._ended: list[tuple[Claim, Outcome]] = []
        self._lock = threading.Lock()

    def next(self) -> Claim | None:
        """The next to run, which waits no more; None when there is none."""
        self.relieve()
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def held(self, running: Claim) -> list[str]:
        """The ids of all whose lease is ours; first the one that runs."""
        with self._lock:
            return [running.id, *(claim.id for claim, _ in self._ended), *(claim.id for claim in self._waiting)]

    def ended(self, claim: Claim, outcome: Outcome) -> None:
        with self._lock:
            self._ended.append((claim, outcome))

    def relieve(self) -> None:
        """When this round has lasted too long: tell what is over, hand back what did not begin."""
        if time.monotonic() - self._began < PATIENCE_SECONDS:
            return
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        self.tell()
        for claim in waiting:
            self._hand_back(claim)

    def tell(self) -> None:
        """Tell web of all that are over; what web will not take together, it is told one by one."""
        with self._lock:
            ended, self._ended = self._ended, []
        if not ended:
            return
        try:
            statuses = self._web.finish_many(ended)
        except UpstreamProblem as problem:
            log.warning("group_refused", jobs=len(ended), status=problem.status, code=problem.code)
            for claim, outcome in ended:
                self._tell_alone(claim, outcome)
        except Unavailable as error:
            log.warning("group_abandoned", jobs=len(ended), reason=str(error))
        else:
            for claim, outcome in ended:
                log.info("run_finished", job=claim.id, kind=claim.kind, ran=outcome.status, status=statuses[claim.id])

    def _tell_alone(self, claim: Claim, outcome: Outcome) -> None:
        try:
            finish(self._web, claim, outcome)
        except (LeaseLost, Unavailable, UpstreamProblem) as error:
            log.warning("run_abandoned", job=claim.id, reason=f"{type(error).__name__}: {error}")

    def _hand_back(self, claim: Claim) -> None:
        try:
            self._web.release(claim.id, worker_name(), lost=False)
        except (Unavailable, UpstreamProblem) as error:
            log.info("lease_not_released", job=claim.id, reason=f"{type(error).__name__}: {error}")
