"""What goes by Redis: progress to the browser, and the push that a cancel gives a worker.

Both are ephemeral and best effort: a Redis that is away is never a reason for a job, or for somebody who cancels one,
to stumble.
"""

from __future__ import annotations

import uuid
from functools import cache

import redis
import structlog
from ochaq_shared.live import publish_progress

from ochaq_web.config.environment import environment
from ochaq_web.jobs.announce import job_core
from ochaq_web.jobs.models import Job

CANCEL_CHANNEL = "ochaq.jobs.cancel"

log = structlog.get_logger(__name__)


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(environment().redis_url, socket_connect_timeout=0.25, socket_timeout=0.25)


def tell_progress(job: Job) -> None:
    """Send one tick to the job's owner, after the commit of what it tells. Best effort: the next one comes soon."""
    if job.owner_id is None:
        return
    try:
        publish_progress(_redis(), str(job.owner_id), job_core(job))
    except redis.RedisError as error:
        log.warning("jobs_progress_not_told", job=str(job.id), error=type(error).__name__)


def tell_cancel(job_id: uuid.UUID) -> None:
    """Tell the workers, after the commit, that a running job is to stop. Whoever misses it hears it when it beats."""
    try:
        _redis().publish(CANCEL_CHANNEL, str(job_id))
    except redis.RedisError as error:
        log.warning("jobs_cancel_not_told", job=str(job_id), error=type(error).__name__)
