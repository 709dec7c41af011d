"""Django's registration of the ops app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OpsConfig(AppConfig):
    name = "ochaq_web.ops"
    label = "ops"
    verbose_name = _("Operations")

    def ready(self) -> None:
        from ochaq_shared.events.search import IndexRebuilt

        from ochaq_web.core.events import register_handler
        from ochaq_web.ops.events import on_index_rebuilt

        register_handler(IndexRebuilt, on_index_rebuilt)
