"""How a recipe looks to programs: the shapes of contract.md, as plain values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ochaq_web.cookbook.amounts import amount_text
from ochaq_web.cookbook.models import Food, Ingredient, Recipe


def recipe_body(recipe: Recipe) -> dict[str, Any]:
    """A recipe with its tags and ingredients prefetched."""
    return {
        "id": recipe.id,
        "slug": recipe.slug,
        "name": recipe.name,
        "desc": recipe.desc,
        "instructions": recipe.instructions,
        "servings": recipe.servings,
        "tags": [tag.name for tag in recipe.tags.all()],
        "ingredients": [ingredient_body(ingredient) for ingredient in recipe.ingredients.all()],
        "version": recipe.version,
        "updated_at": moment(recipe.updated_at),
        "plate_url": plate_url(recipe),
    }


def ingredient_body(ingredient: Ingredient) -> dict[str, Any]:
    return {
        "food": {"id": ingredient.food_id, "name": ingredient.food.name},
        "amount": amount_text(ingredient.amount),
        "unit_of_measure": ingredient.unit_of_measure,
        "desc": ingredient.desc,
    }


def food_body(food: Food) -> dict[str, Any]:
    return {"id": food.id, "name": food.name, "category": food.category}


def plate_url(recipe: Recipe) -> str:
    """Where the recipe's picture is; the version makes it another address after every change."""
    return f"/recipes/{recipe.slug}/plate.svg?v={recipe.version}"


def etag(recipe: Recipe) -> str:
    """The recipe's strong validator. Everything that its answer shows bumps its version, foods' names included."""
    return f'"recipe-{recipe.id}-{recipe.version}"'


def moment(when: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
