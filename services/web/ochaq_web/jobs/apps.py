"""Django's registration of the jobs app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

REAP_SECONDS = 1.0


class JobsConfig(AppConfig):
    name = "ochaq_web.jobs"
    label = "jobs"
    verbose_name = _("Jobs")

    def ready(self) -> None:
        from ochaq_web.core.events import register_ticker
        from ochaq_web.jobs import problems  # noqa: F401 - its codes must be known before the first answer
        from ochaq_web.jobs.maintenance import register_sweep
        from ochaq_web.jobs.reaper import job_lease_reap
        from ochaq_web.jobs.schedules import slots_forget

        register_ticker("jobs.reaper", REAP_SECONDS, job_lease_reap)
        register_sweep("schedule_slots", slots_forget)
