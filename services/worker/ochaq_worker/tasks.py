"""The door: what the queues may ask of this worker. Parse, call one function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery import Celery, Task
from ochaq_shared.telemetry import bind_request, request_id_from

from ochaq_worker.generation import students_generate, students_purge
from ochaq_worker.lab import lab_naive, lab_ours, lab_race
from ochaq_worker.maintenance import sweep
from ochaq_worker.process import groups, holding, keeper, web
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
RUN, RUN_GROUP = "ochaq.jobs.run", "ochaq.jobs.run_group"


def register(app: Celery, mode: str) -> None:
    """Give `app` its two tasks; in mode test their rules include the trials."""
    rules = {**RULES, **(TRIALS if mode == "test" else {})}

    @app.task(name=RUN, bind=True)
    def run(task: Task, job_id: str) -> None:
        """Run one job of web's."""
        with _story(task), holding(job_id):
            run_job(web(), keeper(), job_id, rules)

    @app.task(name=RUN_GROUP, bind=True)
    def run_group(task: Task, job_ids: list[str]) -> None:
        """Run many short jobs of web's."""
        with _story(task):
            groups().run(job_ids, rules)


def _story(task: Task) -> Any:
    """The request id of the click that began it all, so that one id finds every line."""
    return bind_request(request_id_from(task.request.get("ochaq_request_id")), task.request.get("traceparent") or "")
