"""Who may do what with files. Every query starts from `visible_to(identity)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ochaq_shared.problems import Problem
from sqlalchemy import ColumnElement, FromClause, true

from ochaq_files.storage.tables import file

if TYPE_CHECKING:
    from ochaq_shared.identity import Identity


def reads_all(identity: Identity) -> bool:
    """Managers look after everybody's files, and services act for the house."""
    return identity.is_service or identity.has_role("manager")


def visible_to(identity: Identity, table: FromClause = file) -> ColumnElement[bool]:
    """The condition under which a row of `table` (the file table or an alias of it) may be read."""
    return true() if reads_all(identity) else table.c.owner == identity.subject


def scope_of(identity: Identity) -> str:
    """What the identity's view of a folder depends on: two identities of one scope see the same files."""
    return "all" if reads_all(identity) else identity.subject


def may_upload(identity: Identity) -> None:
    """Every person may own files; a service owns none."""
    if identity.is_service:
        raise Problem("auth.forbidden", "A service cannot own files.")


def may_change(identity: Identity, owner: str) -> bool:
    """Owners change their own files, managers any."""
    return owner == identity.subject or identity.has_role("manager")
