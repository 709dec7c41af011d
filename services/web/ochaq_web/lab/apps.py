"""Django's registration of the lab."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LabConfig(AppConfig):
    name = "ochaq_web.lab"
    label = "lab"
    verbose_name = _("Lab")

    def ready(self) -> None:
        from ochaq_web.lab import problems  # noqa: F401 - its codes must be known before the first answer
