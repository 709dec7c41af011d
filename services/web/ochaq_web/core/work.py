"""How the inbox opens Django's transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.db import close_old_connections, connection, transaction


class DjangoWork:
    """The unit of work of `ochaq_shared.bus.inbox`."""

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        # Between batches a connection may have died; Django notices here and opens another.
        close_old_connections()
        with transaction.atomic():
            yield connection

    def savepoint(self, connection: Any) -> AbstractContextManager[Any]:
        return transaction.atomic()
