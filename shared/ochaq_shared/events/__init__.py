"""Events: frozen, past-tense, versioned facts in CloudEvents 1.0 form.

A `Fact` is what happened (one subclass per event type, in the module of its domain); a `CloudEvent` is the envelope
that carries it. Undeclared fields are refused, and the JSON Schema of every fact is committed in `events/schemas/`:
a changed schema fails a test until it is a new version.
"""

from ochaq_shared.events.base import CloudEvent, Fact, Lane, UnknownEvent, fact, registry

# Importing the domains registers their facts.
from ochaq_shared.events import accounts, chat, cookbook, files, jobs, ops, search, students  # noqa: F401  isort: skip

__all__ = ["CloudEvent", "Fact", "Lane", "UnknownEvent", "fact", "registry"]
