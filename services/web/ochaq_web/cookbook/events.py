"""What the cookbook does when it hears of its own changes.

Every change forgets the rendered answers right after its commit. This is the second pair of hands: the process may die
between commit and forgetting, or Redis may be away just then; the event comes all the same, and is tried again until
Redis has answered.
"""

from __future__ import annotations

from typing import Any

from ochaq_shared.events import CloudEvent
from ochaq_shared.events.cookbook import RecipeChanged, RecipePublished, RecipeRemoved

from ochaq_web.cookbook import rendered
from ochaq_web.core.events import register_handler

FACTS: tuple[type[Any], ...] = (RecipePublished, RecipeChanged, RecipeRemoved)


def register() -> None:
    for fact in FACTS:
        register_handler(fact, forget_rendered)


def forget_rendered(event: CloudEvent, fact: Any) -> None:
    rendered.forget_strictly()
