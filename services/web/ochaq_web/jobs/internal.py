"""Door: the worker's side of a job (design/jobs.md). Service tokens only."""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ochaq_web.core.authentication import InternalView
from ochaq_web.jobs import services
from ochaq_web.jobs.live import tell_progress
from ochaq_web.jobs.maintenance import sweep
from ochaq_web.jobs.serializers import ClaimInput, FinishInput, HeartbeatInput


class ClaimView(InternalView):
    """`{"worker"}` → the job and its fence."""

    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        job = services.job_claim(job_id=job_id, **_read(ClaimInput, request))
        return Response(
            {
                "id": str(job.id),
                "kind": job.kind,
                "params": job.params,
                "fence": job.fence,
                "attempt": job.attempt,
                "checkpoint": job.checkpoint,
                "lease_seconds": services.LEASE_SECONDS,
                "cancel": job.cancel_requested_at is not None,
                "owner": str(job.owner_id or ""),
            }
        )


class HeartbeatView(InternalView):
    """`{"fence", "progress", "checkpoint"}` → `{"cancel"}`."""

    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        job, tell = services.job_heartbeat(job_id=job_id, **_read(HeartbeatInput, request))
        if tell:
            tell_progress(job)
        return Response({"cancel": job.cancel_requested_at is not None})


class FinishView(InternalView):
    """`{"fence", "status", "result", "error"}` → `{"status"}`."""

    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        job = services.job_finish(job_id=job_id, **_read(FinishInput, request))
        return Response({"status": str(job.status)})


class SweepView(InternalView):
    """What the hourly maintenance calls; safe to call at any time, any number of times."""

    def post(self, request: Request) -> Response:
        return Response(sweep())


def _read(shape: Any, request: Request) -> dict[str, Any]:
    read = shape(data=request.data)
    read.is_valid(raise_exception=True)
    return dict(read.validated_data)
