"""Doors: the pages of jobs. `mine` is everybody's own work, `everybody` and `schedules` are the operators' rooms."""

from ochaq_web.jobs.pages.everybody import ops_jobs, ops_redrive
from ochaq_web.jobs.pages.mine import cancel, job, result, retry
from ochaq_web.jobs.pages.schedules import (
    schedule,
    schedule_new,
    schedule_remove,
    schedule_run,
    schedule_switch,
    schedules,
)

__all__ = [
    "cancel",
    "job",
    "ops_jobs",
    "ops_redrive",
    "result",
    "retry",
    "schedule",
    "schedule_new",
    "schedule_remove",
    "schedule_run",
    "schedule_switch",
    "schedules",
]
