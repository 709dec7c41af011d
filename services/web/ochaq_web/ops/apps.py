"""Django's registration of the ops app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OpsConfig(AppConfig):
    name = "ochaq_web.ops"
    label = "ops"
    verbose_name = _("Operations")

    def ready(self) -> None:
        from ochaq_shared.bus.versions import Ordered
        from ochaq_shared.events.ops import ActionTaken
        from ochaq_shared.events.search import IndexRebuilt

        from ochaq_web.core.events import register_handler, register_ticker
        from ochaq_web.ops import actions, broker, events

        register_handler(IndexRebuilt, events.on_index_rebuilt)
        register_handler(ActionTaken, Ordered(events.on_action_taken, whole=True))
        register_ticker("ops.actions", 1.0, actions.actions_perform)
        register_ticker("ops.broker", broker.EVERY_SECONDS, broker.broker_look)
