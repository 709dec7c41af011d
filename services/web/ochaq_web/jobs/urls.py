"""Addresses of jobs."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from ochaq_web.jobs import apis
from ochaq_web.jobs import internal as doors
from ochaq_web.jobs import pages as views

pages: list[URLPattern | URLResolver] = [
    path("result/", views.result, name="result"),
    path("result/<uuid:job_id>/cancel/", views.cancel, name="job-cancel"),
    path("result/<uuid:job_id>/retry/", views.retry, name="job-retry"),
]
api: list[URLPattern | URLResolver] = [
    path("jobs/", apis.JobsView.as_view(), name="api-jobs"),
    path("jobs/<uuid:job_id>/", apis.JobView.as_view(), name="api-job"),
    path("jobs/<uuid:job_id>/cancel/", apis.JobCancelView.as_view(), name="api-job-cancel"),
    path("jobs/<uuid:job_id>/retry/", apis.JobRetryView.as_view(), name="api-job-retry"),
]
internal: list[URLPattern | URLResolver] = [
    path("jobs/<uuid:job_id>/claim", doors.ClaimView.as_view(), name="internal-job-claim"),
    path("jobs/<uuid:job_id>/heartbeat", doors.HeartbeatView.as_view(), name="internal-job-heartbeat"),
    path("jobs/<uuid:job_id>/finish", doors.FinishView.as_view(), name="internal-job-finish"),
    path("maintenance/sweep", doors.SweepView.as_view(), name="internal-sweep"),
]
