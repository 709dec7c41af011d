"""Django's registration of the accounts app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "ochaq_web.accounts"
    label = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from ochaq_web.accounts import changes, schema, services  # noqa: F401 - the schema registers itself
        from ochaq_web.core.events import register_ticker

        register_ticker("accounts.sweep", 3600, services.sweep)
        changes.watch()
