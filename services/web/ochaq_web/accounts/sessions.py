"""Sessions in PostgreSQL with a copy in the cache, in a table that knows whose each one is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.cached_db import SessionStore as CachedDBStore

from ochaq_web.accounts.models import Session


class SessionStore(CachedDBStore):
    """Django's `cached_db` with our `Session` model."""

    cache_key_prefix = "s:"

    @classmethod
    def get_model_class(cls) -> Any:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        user_id = data.get(SESSION_KEY)
        row.user_id = UUID(user_id) if user_id else None
        return row
