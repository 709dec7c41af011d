"""The door: what the queues may ask of this worker. Parse, call one function."""

from __future__ import annotations

from typing import Any

import structlog
from celery import Celery, Task
from ochaq_shared.telemetry import bind_request, request_id_from

from ochaq_worker.generation import students_generate, students_purge
from ochaq_worker.process import web
from ochaq_worker.runs import run_job

log = structlog.get_logger(__name__)

RULES = {"students.generate": students_generate, "students.purge": students_purge}
RUN = "ochaq.jobs.run"
SWEEP = "ochaq.maintenance.sweep"


def register(app: Celery) -> None:
    """Give `app` its two tasks."""
    app.task(name=RUN, bind=True)(run)
    app.task(name=SWEEP, bind=True)(sweep)


def run(task: Task, job_id: str) -> None:
    """Run one job of web's."""
    with _story(task):
        log.info("run_ended", job=job_id, outcome=run_job(web(), job_id, RULES))


def sweep(task: Task) -> None:
    """Let web forget what is too old; due every hour."""
    with _story(task):
        log.info("sweep_done", **web().sweep())


def _story(task: Task) -> Any:
    """The request id of the click that began it all, so that one id finds every line."""
    return bind_request(request_id_from(task.request.get("ochaq_request_id")), task.request.get("traceparent") or "")
