"""Progress on its way to the browser: ephemeral, by Redis, and never a reason for a job to stumble."""

from __future__ import annotations

from functools import cache

import redis
import structlog
from ochaq_shared.live import publish_progress

from ochaq_web.config.environment import environment
from ochaq_web.jobs.announce import job_core
from ochaq_web.jobs.models import Job

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
