"""Door: jobs for people and their programs."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from ochaq_shared.problems import FieldError, Problem
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ochaq_web.core.idempotency import PARAMETER, idempotent
from ochaq_web.core.pagination import paginate
from ochaq_web.core.policy import Act, permission
from ochaq_web.jobs import actions, selectors
from ochaq_web.jobs.announce import job_public
from ochaq_web.jobs.kinds import KINDS
from ochaq_web.jobs.models import Status
from ochaq_web.jobs.serializers import JobPageShape, JobShape, JobStartShape, ReasonShape

FILTERS = [
    OpenApiParameter("status", str, enum=Status.values),
    OpenApiParameter("kind", str, enum=sorted(KINDS)),
    OpenApiParameter("limit", int),
    OpenApiParameter("cursor", str),
]


class JobsView(APIView):
    """One's own jobs; operators see everybody's."""

    permission_classes = (permission(read=Act.JOBS_USE),)

    @extend_schema(operation_id="jobs_list", parameters=FILTERS, responses=JobPageShape)
    def get(self, request: Request) -> Response:
        jobs = selectors.job_filter(
            selectors.jobs_visible_to(request.user),
            status=_choice(request, "status", Status.values),
            kind=_choice(request, "kind", sorted(KINDS)),
        )
        page = paginate(request, jobs, ("-id",))
        return Response(page.body([job_public(job) for job in page.rows]))

    @extend_schema(operation_id="jobs_start", parameters=[PARAMETER], request=JobStartShape, responses={202: JobShape})
    @idempotent
    def post(self, request: Request) -> Response:
        job = actions.job_start(actor=request.user, body=request.data)
        return Response(job_public(job), status=202, headers={"Location": f"/api/v1/jobs/{job.id}/"})


class JobView(APIView):
    """One job; a foreign one is as unknown as one that never was."""

    permission_classes = (permission(read=Act.JOBS_USE),)

    @extend_schema(operation_id="jobs_detail", responses=JobShape)
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        return Response(job_public(selectors.job_for(request.user, job_id)))


class JobCancelView(APIView):
    """Ask a job to stop."""

    permission_classes = (permission(read=Act.JOBS_USE),)

    @extend_schema(operation_id="jobs_cancel", request=ReasonShape, responses={202: JobShape})
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        reason = actions.reason_in(request.data)
        return Response(job_public(actions.job_stop(actor=request.user, job_id=job_id, reason=reason)), status=202)


class JobRetryView(APIView):
    """Queue a failed or cancelled job again."""

    permission_classes = (permission(read=Act.JOBS_USE),)

    @extend_schema(operation_id="jobs_retry", request=ReasonShape, responses={202: JobShape})
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        reason = actions.reason_in(request.data)
        return Response(job_public(actions.job_again(actor=request.user, job_id=job_id, reason=reason)), status=202)


def _choice(request: Request, name: str, known: Any) -> str:
    """A filter's value: one of the known words, or 422, since a misspelt filter must not look like an empty list."""
    value = str(request.query_params.get(name, ""))
    if value and value not in known:
        raise Problem("request.invalid", errors=[FieldError(name, "unknown", f"One of: {', '.join(known)}.")])
    return value
