"""A few recipes, and a cache that knows nothing yet."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from ochaq_web.cookbook import rendered, services
from ochaq_web.cookbook.models import Recipe
from ochaq_web.cookbook.services import IngredientLine


@pytest.fixture(autouse=True)
def fresh_cache(web_environment: Any) -> None:
    """Nothing rendered before this test counts. The store is made anew, because a test may have made it rest."""
    rendered.store.cache_clear()
    rendered.forget_strictly()


@pytest.fixture
def make_recipe() -> Callable[..., Recipe]:
    """make_recipe("Plov", tags=["rice"]) → a published recipe with two ingredients."""

    def make(name: str = "Plov", **fields: Any) -> Recipe:
        lines = fields.pop(
            "ingredients",
            [
                IngredientLine(food_name="rice", amount=Decimal("0.125"), unit_of_measure="cup", desc="rinsed"),
                IngredientLine(food_name="salt"),
            ],
        )
        return services.recipe_publish(name=name, ingredients=lines, instructions="Wash.\nBoil.", **fields)

    return make
