"""Django's registration of the cookbook."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CookbookConfig(AppConfig):
    name = "ochaq_web.cookbook"
    label = "cookbook"
    verbose_name = _("Cookbook")

    def ready(self) -> None:
        from ochaq_web.cookbook import events, problems  # noqa: F401

        events.register()
