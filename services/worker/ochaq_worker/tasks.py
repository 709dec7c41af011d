"""The door: what the queues may ask of this worker. Parse, call one function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery import Celery, Task
from ochaq_shared.telemetry import bind_request, request_id_from

from ochaq_worker.generation import students_generate, students_purge
from ochaq_worker.lab import lab_naive, lab_ours, lab_race
from ochaq_worker.maintenance import sweep
from ochaq_worker.process import holding, keeper, web
from ochaq_worker.runs import Rule, run_job
from ochaq_worker.trials import TRIALS

RULES: Mapping[str, Rule] = {
    "students.generate": students_generate,
    "students.purge": students_purge,
    "maintenance.sweep": sweep,
    "lab.race": lab_race,
    "lab.naive": lab_naive,
    "lab.ours": lab_ours,
}
RUN = "ochaq.jobs.run"


def register(app: Celery, mode: str) -> None:
    """Give `app` its one task; in mode test its rules include the trials."""
    rules = {**RULES, **(TRIALS if mode == "test" else {})}

    @app.task(name=RUN, bind=True)
    def run(task: Task, job_id: str) -> None:
        """Run one job of web's."""
        with _story(task), holding(job_id):
            run_job(web(), keeper(), job_id, rules)


def _story(task: Task) -> Any:
    """The request id of the click that began it all, so that one id finds every line."""
    return bind_request(request_id_from(task.request.get("ochaq_request_id")), task.request.get("traceparent") or "")
