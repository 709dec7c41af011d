"""Ways of a running job back into the queue: its worker is gone, or its run ended without an end of the job."""

from __future__ import annotations

import random
from typing import Any

from ochaq_web.jobs.announce import dispatch
from ochaq_web.jobs.models import Job, Status
from ochaq_web.jobs.services.ending import RUN_FACTS, dispatch_next, job_end
from ochaq_web.jobs.transitions import change, json_or_null, statement

BACKOFF_SECONDS = 2.0
BACKOFF_MOST_SECONDS = 300.0

_BACK_TO_QUEUE = statement(
    """
UPDATE job SET status = 'queued', version = version + 1, lease_until = NULL,
  run_after = clock_timestamp() + %(wait)s::float8 * interval '1 s',
  lost_leases = %(lost_leases)s, failures = %(failures)s,
  checkpoint = %(checkpoint)s::jsonb, failed_checkpoint = %(failed_checkpoint)s::jsonb,
  dispatched_at = CASE WHEN %(send)s THEN now() END, dispatches = %(send)s::int
WHERE id = %(id)s AND fence = %(fence)s AND status = 'running'
""",
    "%(event)s::text",
    data=f"jsonb_build_object({RUN_FACTS}) || %(data)s::jsonb",
)


def back_to_queue(job: Job, event: str, *, actor: str, wait: float = 0.0, **data: Any) -> Job:
    """Queue a running job whose row the transaction holds, as its attributes say, to be run `wait` seconds from now.

    Its command is sent at once where it can be claimed at once; later ones are sent by the reaper.
    """
    send = wait <= 0 and not job.pending_children
    values = {
        "fence": job.fence,
        "event": event,
        "actor": actor,
        "wait": wait,
        "send": send,
        "lost_leases": job.lost_leases,
        "failures": job.failures,
        "checkpoint": json_or_null(job.checkpoint),
        "failed_checkpoint": json_or_null(job.failed_checkpoint),
        "data": json_or_null({**data, "wait_seconds": round(wait, 3)}),
    }
    queued = change(_BACK_TO_QUEUE, job.id, values)
    assert queued is not None  # the row is held
    if send:
        dispatch(queued)
    elif job.exclusive:
        dispatch_next(job.exclusive)
    return queued


def lose_worker(job: Job, *, actor: str) -> Job:
    """A running job whose worker is gone; the transaction holds its row. It goes on from its checkpoint.

    When somebody wanted it cancelled, it is. When it loses worker after worker without getting on, it is taken for
    their murderer.
    """
    lost = job.lost_leases + 1
    if job.cancel_requested_at is not None:
        return job_end(job, Status.CANCELLED, actor=actor, lost_leases=lost)
    if lost >= job.max_attempts:
        detail = f"The worker was lost {lost} times without getting on."
        error = {"code": "jobs.worker_lost", "detail": detail, "retry": "poison"}
        return job_end(job, Status.FAILED, error=error, actor=actor, lost_leases=lost)
    job.lost_leases = lost
    return back_to_queue(job, "lease_lost", actor=actor, wait=_backoff(lost))


def _backoff(losses: int) -> float:
    """0 s after the first loss, since a worker may simply have been restarted; then 2, 4, 8 … s with jitter."""
    if losses <= 1:
        return 0.0
    return min(BACKOFF_SECONDS * 2 ** (losses - 2), BACKOFF_MOST_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
