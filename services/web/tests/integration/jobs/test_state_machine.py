"""Any order of anything: jobs keep their promises, and in the end each of them is over."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Count
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from jobs_by_hand import aged, expired
from ochaq_shared.problems import Problem
from ochaq_web.jobs import services
from ochaq_web.jobs.models import LIVE, OVER, Job
from ochaq_web.jobs.reaper import job_lease_reap

pytestmark = pytest.mark.django_db

AGAIN = {"retried", "redriven"}
REFUSALS = {"jobs.not_claimable", "jobs.stale_fence", "jobs.over", "jobs.not_retryable"}


def asked(call: Any, **arguments: Any) -> Any:
    """The answer, or None when the rules refused; any other problem is a failure."""
    try:
        return call(**arguments)
    except Problem as problem:
        if problem.code not in REFUSALS:
            raise
        return None


class Life(RuleBasedStateMachine):
    jobs = Bundle("jobs")
    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[Any] = []
        self.seen: dict[Any, tuple[int, int, int]] = {}

    def teardown(self) -> None:
        """Whatever state everything is in: time, the reaper and a worker that always succeeds bring it to an end."""
        try:
            self.drain()
        finally:
            Job.objects.all().delete()

    @rule(target=jobs, kind=st.sampled_from(["test.noop", "test.steps", "students.purge"]))
    def enqueue(self, kind: str) -> Any:
        job = services.job_enqueue(kind=kind, params={}, owner=None)
        self.ids.append(job.id)
        return job.id

    @rule(target=runs, job=jobs)
    def claim(self, job: Any) -> Any:
        claimed = asked(services.job_claim, job_id=job, worker=f"worker:{job}")
        return (job, claimed.fence) if claimed else (job, 0)

    @rule(target=runs, some=st.lists(jobs, min_size=2, max_size=4))
    def claim_together(self, some: Any) -> Any:
        taken, _ = services.jobs_claim(job_ids=some, worker=f"worker:{some[0]}")
        return (taken[0].id, taken[0].fence) if taken else (some[0], 0)

    @rule(some=st.lists(runs, min_size=2, max_size=4), status=st.sampled_from(["succeeded", "failed", "cancelled"]))
    def finish_together(self, some: Any, status: str) -> None:
        before = {job.pk: job for job in Job.objects.filter(pk__in=[job for job, _ in some])}
        services.jobs_finish(runs=[{"job_id": job, "fence": fence, "status": status} for job, fence in some])
        for job in {job for job, _ in some}:
            was, now = before[job], Job.objects.get(pk=job)
            held = was.status == "running" and (job, was.fence) in some
            # A child of one that failed is cancelled with it.
            assert held or now.status in (was.status, "cancelled"), "a stale worker ended a job"

    @rule(target=runs, run=runs)
    def overtake(self, run: Any) -> Any:
        """The worker of a run freezes past its lease and another claims the job; the first one's run stays about."""
        expired(Job(pk=run[0]))
        return self.claim(run[0])

    @rule(run=runs, done=st.integers(0, 20), checkpoint=st.none() | st.integers(0, 3))
    def heartbeat(self, run: Any, done: int, checkpoint: int | None) -> None:
        kept = None if checkpoint is None else {"step": checkpoint}
        asked(
            services.job_heartbeat, job_id=run[0], fence=run[1], progress={"done": done, "total": 20}, checkpoint=kept
        )

    @rule(
        run=consumes(runs),
        status=st.sampled_from(["succeeded", "failed", "cancelled", "waiting"]),
        transient=st.booleans(),
    )
    def finish(self, run: Any, status: str, transient: bool) -> None:
        before = Job.objects.get(pk=run[0])
        error = {"code": "x.no", "detail": "", "retry": "transient" if transient else "permanent"}
        asked(
            services.job_finish, job_id=run[0], fence=run[1], status=status, error=error if status == "failed" else None
        )
        after = Job.objects.get(pk=run[0])
        if before.fence != run[1] or before.status != "running":
            assert (after.status, after.version) == (before.status, before.version), "a stale worker ended a job"

    @rule(target=jobs, run=runs, again=st.booleans())
    def children(self, run: Any, again: bool) -> Any:
        jobs = [{"kind": "test.noop", "params": {}, "dedupe_key": "only" if again else None}]
        made = asked(services.children_start, job_id=run[0], fence=run[1], jobs=jobs)
        self.ids += [one for one in made or [] if one not in self.ids]
        return made[0] if made else run[0]

    @rule(job=jobs)
    def cancel(self, job: Any) -> None:
        asked(services.job_cancel, job_id=job, actor="somebody")

    @rule(job=jobs)
    def retry(self, job: Any) -> None:
        asked(services.job_retry, job_id=job, actor="somebody")

    @rule(job=jobs)
    def redrive(self, job: Any) -> None:
        services.jobs_redrive(job_ids=[job], actor="somebody", reason="")

    @rule(job=jobs, lost=st.booleans())
    def release(self, job: Any, lost: bool) -> None:
        asked(services.job_release, job_id=job, worker=f"worker:{job}", lost=lost)

    @rule(job=jobs, seconds=st.sampled_from([1, 5, 12, 70, 20_000]))
    def time_passes(self, job: Any, seconds: int) -> None:
        aged(Job(pk=job), seconds)

    @rule()
    def reap(self) -> None:
        job_lease_reap()

    @invariant()
    def promises(self) -> None:
        for job in Job.objects.filter(pk__in=self.ids).prefetch_related("events"):
            self.check_numbers(job)
            self.check_timeline(job)
            waited_for = Job.objects.filter(parent=job, awaited=True)
            assert job.pending_children == waited_for.count(), "a parent miscounts its children"
            assert not waited_for.exclude(status__in=LIVE).exists(), "a parent waits for a child that is over"

    def check_numbers(self, job: Job) -> None:
        now = (job.fence, job.progress_done, job.version)
        before = self.seen.get(job.id, (0, 0, 0))
        assert all(new >= old for new, old in zip(now, before, strict=True)), "a number went back"
        assert (job.finished_at is not None) == (job.status in OVER)
        self.seen[job.id] = now

    def check_timeline(self, job: Job) -> None:
        events = sorted(job.events.all(), key=lambda event: event.seq)
        assert [event.seq for event in events] == list(range(1, job.version + 1)), "the timeline has gaps"
        over = False
        for event in events:
            assert not over or event.kind in AGAIN, f"{event.kind} after the end"
            over = event.kind in OVER
        assert over == (job.status in OVER)
        assert sum(event.kind == "claimed" for event in events) == job.attempt == job.fence

    def drain(self) -> None:
        for _ in range(60):
            live = list(Job.objects.filter(status__in=LIVE).order_by("id"))
            if not live:
                break
            for job in live:
                aged(job, 600)
            job_lease_reap()
            self.work()
        stuck = Job.objects.filter(status__in=LIVE).values("status").annotate(count=Count("id"))
        assert not stuck, f"never over: {list(stuck)}"
        self.promises()

    def work(self) -> None:
        for job in Job.objects.filter(status="queued").order_by("id"):
            claimed = asked(services.job_claim, job_id=job.id, worker="drain")
            if claimed is not None:
                assert job.dispatched_at is not None, "claimable, and nobody was told"
                services.job_finish(job_id=job.id, fence=claimed.fence, status="succeeded")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("examples", [6, pytest.param(200, marks=pytest.mark.long)])
def test_any_order_of_anything_keeps_every_promise(examples):
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
