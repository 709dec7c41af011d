"""What people do with jobs: the rules of `services`, behind the question who may."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ochaq_shared.problems import FieldError, Problem

from ochaq_web.core.policy import require
from ochaq_web.jobs import selectors, services
from ochaq_web.jobs.kinds import KINDS, kind_startable
from ochaq_web.jobs.models import Job

REASON_LENGTH = 300


def job_start(*, actor: Any, body: object) -> Job:
    """Start what `{"kind", "params"}` asks for; 403 comes before any word about the parameters."""
    asked = _object(body, "kind", "params", what="An object with kind and params.")
    kind = kind_startable(asked.get("kind"))
    require(actor, kind.act)
    return services.job_enqueue(kind=kind.name, params=asked.get("params", {}), owner=actor)


def job_stop(*, actor: Any, job_id: uuid.UUID, reason: str = "") -> Job:
    """Cancel a job that the actor may see."""
    job = selectors.job_for(actor, job_id)
    return services.job_cancel(job_id=job.id, actor=str(actor.pk), reason=reason)


def job_again(*, actor: Any, job_id: uuid.UUID, reason: str = "") -> Job:
    """Retry a job that the actor may see, as long as its owner's kind of work is still known."""
    job = selectors.job_for(actor, job_id)
    if job.kind not in KINDS:
        raise Problem("jobs.not_retryable")
    return services.job_retry(job_id=job.id, actor=str(actor.pk), reason=reason)


def reason_in(body: object) -> str:
    """The reason in an optional body `{"reason"}`."""
    if body in (None, "", {}):
        return ""
    reason = _object(body, "reason", what="An object with a reason.").get("reason", "")
    if not isinstance(reason, str) or len(reason) > REASON_LENGTH:
        errors = [FieldError("/reason", "invalid", f"A text of at most {REASON_LENGTH} characters.")]
        raise Problem("request.invalid", errors=errors)
    return reason.strip()


def _object(body: object, *names: str, what: str) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise Problem("request.invalid", errors=[FieldError("", "type", what)])
    unknown = sorted(str(name) for name in set(body) - set(names))
    if unknown:
        errors = [FieldError(f"/{name}", "unknown", "Unknown name.") for name in unknown]
        raise Problem("request.invalid", errors=errors)
    return body
