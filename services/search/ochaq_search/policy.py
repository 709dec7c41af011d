"""Who may do what in the search service."""

from __future__ import annotations

from ochaq_shared.identity import Identity
from ochaq_shared.problems import Problem

STAFF = ("instructor", "manager")


def may_search_students(identity: Identity | None) -> Identity:
    """Students' names and addresses are for those who teach and run the school; raises Problem for everybody else."""
    if identity is None:
        raise Problem("auth.required", headers={"WWW-Authenticate": "Bearer"})
    if not identity.has_role(*STAFF):
        raise Problem("auth.forbidden")
    return identity
