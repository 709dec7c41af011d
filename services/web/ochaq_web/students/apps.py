"""Django's registration of the students app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StudentsConfig(AppConfig):
    name = "ochaq_web.students"
    label = "students"
    verbose_name = _("Students")

    def ready(self) -> None:
        from ochaq_web.jobs.maintenance import register_sweep
        from ochaq_web.students import problems  # noqa: F401 - its codes must be known before the first answer
        from ochaq_web.students.purges import bulk_notes_forget

        register_sweep("student_bulk_notes", bulk_notes_forget)
