"""Reading the cookbook. Every function says what it costs; none costs more for more rows than rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Prefetch, QuerySet, prefetch_related_objects

from ochaq_web.cookbook.models import Food, Ingredient, Recipe, Tag, folded_name, folded_value
from ochaq_web.cookbook.words import latin

ORDERING = ("-id",)  # newest first, which is also the cheapest total order


@dataclass(frozen=True)
class Filters:
    """What a reader looks for; empty means no condition."""

    q: str = ""
    tag: str = ""
    food: str = ""

    def __bool__(self) -> bool:
        return bool(self.q or self.tag or self.food)


def recipes_matching(filters: Filters) -> QuerySet[Recipe]:
    """Recipes that hold every word of `q` in their name, tags or foods, and have that tag and that food."""
    found = Recipe.objects.all()
    for word in folded_query(filters.q):
        found = found.filter(search_text__contains=word)
    if filters.tag:
        found = found.filter(tags__in=Tag.objects.alias(folded=folded_name()).filter(folded=folded_value(filters.tag)))
    if filters.food:
        # An IN over the join, not a join: a recipe that uses a food twice must appear once.
        found = found.filter(id__in=Ingredient.objects.filter(food__in=_foods_meant(filters.food)).values("recipe_id"))
    return found


def folded_query(text: str) -> list[str]:
    """The words to look for, in Latin letters; a word in another script is looked for as it is."""
    return [latin(word) or word for word in text.casefold().split()][:10]


def with_everything(recipes: QuerySet[Recipe]) -> QuerySet[Recipe]:
    """With tags, ingredients and foods: three queries, however many recipes."""
    return recipes.prefetch_related("tags", _lines())


def complete(recipe: Recipe) -> Recipe:
    """The same for a recipe that is already here."""
    prefetch_related_objects([recipe], "tags", _lines())
    return recipe


def _lines() -> Prefetch:
    return Prefetch("ingredients", queryset=Ingredient.objects.select_related("food"))


def recipe_by_id(recipe_id: int) -> Recipe:
    """The recipe with everything; raises Recipe.DoesNotExist. Three queries."""
    return with_everything(Recipe.objects.all()).get(id=recipe_id)


def recipe_by_slug(slug: str) -> Recipe:
    """The same by its address."""
    return with_everything(Recipe.objects.all()).get(slug=slug)


def tags_with_counts() -> Sequence[dict[str, Any]]:
    """Every tag in use with its number of recipes, the most used first. One query."""
    used = Tag.objects.annotate(count=Count("recipes")).filter(count__gt=0).order_by("-count", "name")
    return [{"name": tag.name, "count": tag.count} for tag in used]


def foods_matching(q: str) -> QuerySet[Food]:
    """Foods whose name holds `q`."""
    return Food.objects.filter(name__icontains=" ".join(q.split())) if q else Food.objects.all()


def _foods_meant(text: str) -> QuerySet[Food]:
    """A food by its id or its name."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return Food.objects.filter(id=int(text))
    return Food.objects.alias(folded=folded_name()).filter(folded=folded_value(text))
