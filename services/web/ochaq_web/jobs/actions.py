"""What people do with jobs: the rules of `services`, behind the question who may."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ochaq_shared.problems import FieldError, Problem

from ochaq_web.core.policy import require
from ochaq_web.jobs import selectors, services
from ochaq_web.jobs.kinds import KINDS, kind_named
from ochaq_web.jobs.models import Job


def job_start(*, actor: Any, body: object) -> Job:
    """Start what `{"kind", "params"}` asks for; 403 comes before any word about the parameters."""
    if not isinstance(body, Mapping):
        raise Problem("request.invalid", errors=[FieldError("", "type", "An object with kind and params.")])
    unknown = sorted(str(name) for name in set(body) - {"kind", "params"})
    if unknown:
        errors = [FieldError(f"/{name}", "unknown", "Unknown name.") for name in unknown]
        raise Problem("request.invalid", errors=errors)
    kind = kind_named(body.get("kind"))
    require(actor, kind.act)
    return services.job_enqueue(kind=kind.name, params=body.get("params", {}), owner=actor)


def job_stop(*, actor: Any, job_id: uuid.UUID) -> Job:
    """Cancel a job that the actor may see."""
    job = selectors.job_for(actor, job_id)
    return services.job_cancel(job_id=job.id, actor=str(actor.pk))


def job_again(*, actor: Any, job_id: uuid.UUID) -> Job:
    """Retry a job that the actor may see, as long as its owner's kind of work is still known."""
    job = selectors.job_for(actor, job_id)
    if job.kind not in KINDS:
        raise Problem("jobs.not_retryable")
    return services.job_retry(job_id=job.id, actor=str(actor.pk))
