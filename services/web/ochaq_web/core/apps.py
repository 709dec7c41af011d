"""Django's registration of what all apps share."""

from __future__ import annotations

import logging

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "ochaq_web.core"
    label = "core"

    def ready(self) -> None:
        # Django repeats each 4xx and 5xx that our access log and problem log have told already.
        logging.getLogger("django.request").setLevel(logging.CRITICAL)
        from ochaq_web.core import sweeping
        from ochaq_web.core.events import register_ticker

        register_ticker("core.sweep", 3600, sweeping.sweep)
