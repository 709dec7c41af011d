"""The demo cookbook: loaded once, however often one asks."""

from __future__ import annotations

from typing import Any

import pytest
from ochaq_web.cookbook.models import Food, Ingredient, Recipe
from ochaq_web.cookbook.plates import draw_recipe
from ochaq_web.cookbook.seed import cookbook_seed, food_rows, recipe_rows
from ochaq_web.cookbook.selectors import with_everything

pytestmark = pytest.mark.django_db


def test_seeding_twice_changes_nothing() -> None:
    rows = list(recipe_rows())
    assert cookbook_seed() == {"foods": len(food_rows()), "recipes": len(rows)}
    before = list(Recipe.objects.values_list("id", "slug", "version", "updated_at"))
    assert cookbook_seed() == {"foods": 0, "recipes": 0}
    assert list(Recipe.objects.values_list("id", "slug", "version", "updated_at")) == before
    assert Ingredient.objects.count() == sum(len(row["ingredients"]) for row in rows)


def test_seeding_leaves_an_edited_recipe_alone() -> None:
    cookbook_seed()
    Recipe.objects.filter(slug="hummus").update(servings=99)
    cookbook_seed()
    assert Recipe.objects.get(slug="hummus").servings == 99


def test_the_first_page_is_a_whole_meal(client: Any) -> None:
    cookbook_seed()
    courses = {row["tags"][0] for row in recipe_rows()}
    shown = client.get("/api/v1/recipes/").json()["results"]
    assert len(shown) == 25
    assert len({tag for recipe in shown for tag in recipe["tags"]} & courses) >= 16


def test_seeded_foods_keep_their_look_and_every_plate_can_be_drawn() -> None:
    cookbook_seed()
    assert Food.objects.get(name="beetroot").colour == "#9c1f4f"
    pictures = {draw_recipe(recipe) for recipe in with_everything(Recipe.objects.all())}
    assert len(pictures) == Recipe.objects.count()
