"""Sessions in PostgreSQL with a copy in the cache, in a table that knows whose each one is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.cached_db import SessionStore as CachedDBStore

from ochaq_web.accounts.models import Session
from ochaq_web.core import standing


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

    def delete(self, session_key: str | None = None) -> None:
        ended = session_key or self.session_key
        # First: whatever becomes of the row, nobody is let in by memory whose session was to end.
        standing.forget_session(ended)
        super().delete(session_key)
