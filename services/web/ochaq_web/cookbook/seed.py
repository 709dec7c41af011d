"""The cookbook of the demo school: recipes from data files, by their names, as often as one likes.

Nothing that somebody has edited is overwritten: a recipe whose name is already there stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from ochaq_web.cookbook.models import Food, Recipe
from ochaq_web.cookbook.services import IngredientLine, fold, recipe_publish

FIXTURES = Path(__file__).parent / "fixtures"


def cookbook_seed() -> dict[str, int]:
    """Make the foods and recipes that are missing. Answers how many of each were made."""
    with transaction.atomic():
        # Two seeders at once would both find everything missing.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('cookbook.seed', 0))")
        foods = _foods_seed()
        known = {fold(name) for name in Recipe.objects.values_list("name", flat=True)}
        made = [recipe_publish(**_arguments(row)) for row in recipe_rows() if fold(row["name"]) not in known]
    return {"foods": foods, "recipes": len(made)}


def recipe_rows() -> Iterator[dict[str, Any]]:
    """Every recipe of the files, one of each course in turn, so that the first page shows a whole meal."""
    courses = [json.loads(path.read_text()) for path in sorted((FIXTURES / "recipes").glob("*.json"))]
    rounds = list(zip_longest(*courses))
    # The list shows the newest first; what is to be seen first is made last.
    return (row for row in reversed(list(chain.from_iterable(rounds))) if row is not None)


def food_rows() -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads((FIXTURES / "foods.json").read_text())
    return rows


def _foods_seed() -> int:
    before = Food.objects.count()
    Food.objects.bulk_create([Food(**row) for row in food_rows()], ignore_conflicts=True)
    return Food.objects.count() - before


def _arguments(row: dict[str, Any]) -> dict[str, Any]:
    lines = [
        IngredientLine(
            food_name=item["food"],
            amount=None if item["amount"] is None else Decimal(item["amount"]),
            unit_of_measure=item["unit_of_measure"],
            desc=item["desc"],
        )
        for item in row["ingredients"]
    ]
    return {**row, "ingredients": lines, "instructions": "\n".join(row["instructions"])}
