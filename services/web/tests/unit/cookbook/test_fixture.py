"""The school's recipes: real, complete, and in order."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from ochaq_web.cookbook.plates.dish import COURSES
from ochaq_web.cookbook.plates.motifs import MOTIFS
from ochaq_web.cookbook.seed import FIXTURES, food_rows, recipe_rows
from ochaq_web.cookbook.words import slug_of

RECIPES: list[dict[str, Any]] = list(recipe_rows())
FOODS = {food["name"]: food for food in food_rows()}
UNITS = {"tsp", "tbsp", "cup", "g", "kg", "ml", "l", "piece", "clove", "bunch", "sprig", "slice", "leaf", "stick", ""}
# The most of one unit that a dish for a family can hold; a slipped decimal point is caught here.
MOST = {"tsp": 6, "tbsp": 6, "cup": 8, "kg": 3, "l": 5, "ml": 2000, "g": 900, "piece": 20, "clove": 12, "bunch": 2}
FLESH = {"meat", "poultry", "fish"}
FROM_ANIMALS = FLESH | {"dairy", "egg"}


def _named(recipe: dict[str, Any]) -> str:
    return str(recipe["name"])


def test_there_is_a_cookbook() -> None:
    assert len(RECIPES) >= 64
    assert len({tag for recipe in RECIPES for tag in recipe["tags"]}) >= 16
    assert len(list((FIXTURES / "recipes").glob("*.json"))) >= 16


def test_names_and_addresses_are_unique() -> None:
    assert len({recipe["name"].casefold() for recipe in RECIPES}) == len(RECIPES)
    assert len({slug_of(recipe["name"]) for recipe in RECIPES}) == len(RECIPES)


def test_no_two_foods_differ_by_case_only() -> None:
    names = Counter(food["name"].casefold() for food in food_rows())
    assert [name for name, count in names.items() if count > 1] == []


def test_every_food_is_used_and_looks_like_something() -> None:
    used = {line["food"] for recipe in RECIPES for line in recipe["ingredients"]}
    assert used == FOODS.keys()
    for food in FOODS.values():
        assert re.fullmatch(r"#[0-9a-f]{6}", food["colour"])
        assert food["motif"] in MOTIFS


@pytest.mark.parametrize("recipe", RECIPES, ids=_named)
def test_a_recipe_can_be_cooked(recipe: dict[str, Any]) -> None:
    assert 1 <= recipe["servings"] <= 20
    assert len(recipe["desc"]) >= 8
    assert len(recipe["ingredients"]) >= 4
    assert len(recipe["instructions"]) >= 3
    assert all(len(step) > 15 and "\n" not in step and step.endswith(".") for step in recipe["instructions"])
    assert recipe["tags"][0] in COURSES
    assert len(set(recipe["tags"])) == len(recipe["tags"])


@pytest.mark.parametrize("recipe", RECIPES, ids=_named)
def test_amounts_are_exact_and_of_this_world(recipe: dict[str, Any]) -> None:
    for line in recipe["ingredients"]:
        assert line["unit_of_measure"] in UNITS
        if line["amount"] is None:
            assert line["desc"]
            continue
        assert re.fullmatch(r"\d{1,3}\.\d{3}", line["amount"])
        assert Decimal(0) < Decimal(line["amount"]) <= MOST.get(line["unit_of_measure"], 20), line


@pytest.mark.parametrize("recipe", RECIPES, ids=_named)
def test_vegan_and_vegetarian_are_true(recipe: dict[str, Any]) -> None:
    categories = {FOODS[line["food"]]["category"] for line in recipe["ingredients"]}
    foods = {line["food"] for line in recipe["ingredients"]}
    if "vegetarian" in recipe["tags"] or "vegan" in recipe["tags"]:
        assert not categories & FLESH
        assert not foods & {
            "gelatine",
            "fish sauce",
            "beef broth",
            "chicken broth",
            "dashi broth",
            "lard",
            "parmesan cheese",
        }
    if "vegan" in recipe["tags"]:
        assert not categories & FROM_ANIMALS
        assert not foods & {"honey", "mayonnaise", "ghee"}


def test_every_main_food_of_a_recipe_is_mentioned_by_its_steps_or_needs_no_mention() -> None:
    """A guard against lists and steps that come from two different dishes: most foods are named in the steps."""
    poor = []
    for recipe in RECIPES:
        text = " ".join(recipe["instructions"]).casefold()
        words = [re.split(r"\W+", line["food"].rstrip("s"))[-1][:5] for line in recipe["ingredients"]]
        if sum(word in text for word in words) / len(words) < 0.3:
            poor.append(recipe["name"])
    assert poor == []


def test_the_data_files_are_plain_json() -> None:
    for path in FIXTURES.rglob("*.json"):
        assert isinstance(json.loads(path.read_text()), list)
