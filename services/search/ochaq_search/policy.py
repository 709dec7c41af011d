"""Who may do what in the search service."""

from __future__ import annotations

from ochaq_shared.identity import Identity
from ochaq_shared.problems import Problem

STAFF = ("instructor", "manager")


OVERSEERS = (*STAFF, "operator")


def may_see_counts(identity: Identity | None) -> Identity:
    """How much the index holds is no personal data; operators need it to see that all is well."""
    return _one_of(identity, OVERSEERS)


def may_search_students(identity: Identity | None) -> Identity:
    """Students' names and addresses are for those who teach and run the school; raises Problem for everybody else."""
    return _one_of(identity, STAFF)


def _one_of(identity: Identity | None, roles: tuple[str, ...]) -> Identity:
    if identity is None:
        raise Problem("auth.required", headers={"WWW-Authenticate": "Bearer"})
    if not identity.has_role(*roles):
        raise Problem("auth.forbidden")
    return identity
