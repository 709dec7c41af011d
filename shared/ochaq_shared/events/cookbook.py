"""Facts about recipes."""

from __future__ import annotations

from ochaq_shared.events.base import Fact, fact


class _RecipeFact(Fact):
    id: int
    slug: str
    name: str
    version: int


@fact("cookbook.recipe.published", source="/web/cookbook")
class RecipePublished(_RecipeFact):
    """A recipe can be read for the first time."""


@fact("cookbook.recipe.changed", source="/web/cookbook")
class RecipeChanged(_RecipeFact):
    """A recipe has a new version."""


@fact("cookbook.recipe.removed", source="/web/cookbook")
class RecipeRemoved(_RecipeFact):
    """A recipe is gone."""
