"""Addresses of jobs."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from ochaq_web.jobs import apis
from ochaq_web.jobs import internal as doors
from ochaq_web.jobs import pages as views

pages: list[URLPattern | URLResolver] = [
    path("result/", views.result, name="result"),
    path("result/<uuid:job_id>/", views.job, name="job-page"),
    path("result/<uuid:job_id>/cancel/", views.cancel, name="job-cancel"),
    path("result/<uuid:job_id>/retry/", views.retry, name="job-retry"),
    path("ops/jobs/", views.ops_jobs, name="ops-jobs"),
    path("ops/jobs/redrive/", views.ops_redrive, name="ops-redrive"),
    path("ops/schedules/", views.schedules, name="ops-schedules"),
    path("ops/schedules/new/", views.schedule_new, name="ops-schedule-new"),
    path("ops/schedules/<slug:name>/", views.schedule, name="ops-schedule"),
    path("ops/schedules/<slug:name>/run/", views.schedule_run, name="ops-schedule-run"),
    path("ops/schedules/<slug:name>/switch/", views.schedule_switch, name="ops-schedule-switch"),
    path("ops/schedules/<slug:name>/remove/", views.schedule_remove, name="ops-schedule-remove"),
]
api: list[URLPattern | URLResolver] = [
    path("jobs/", apis.JobsView.as_view(), name="api-jobs"),
    path("jobs/<uuid:job_id>/", apis.JobView.as_view(), name="api-job"),
    path("jobs/<uuid:job_id>/cancel/", apis.JobCancelView.as_view(), name="api-job-cancel"),
    path("jobs/<uuid:job_id>/retry/", apis.JobRetryView.as_view(), name="api-job-retry"),
]
internal: list[URLPattern | URLResolver] = [
    path("jobs/claims", doors.claims, name="internal-jobs-claim"),
    path("jobs/finishes", doors.finishes, name="internal-jobs-finish"),
    path("jobs/<uuid:job_id>/claim", doors.claim, name="internal-job-claim"),
    path("jobs/<uuid:job_id>/heartbeat", doors.heartbeat, name="internal-job-heartbeat"),
    path("jobs/<uuid:job_id>/finish", doors.finish, name="internal-job-finish"),
    path("jobs/<uuid:job_id>/children", doors.children, name="internal-job-children"),
    path("jobs/<uuid:job_id>/release", doors.release, name="internal-job-release"),
    path("schedules/tick", doors.tick, name="internal-schedules-tick"),
    path("maintenance/sweep", doors.sweep_now, name="internal-sweep"),
]
