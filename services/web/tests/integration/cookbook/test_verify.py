"""Zulip's verify_action for recipes: what is rendered and followed events is what the database says.

A process that dies between the commit of a change and the forgetting that follows it leaves old answers in Redis: in
these tests nothing is ever committed, so nothing is forgotten but by the event.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from ochaq_shared.events import CloudEvent
from ochaq_web.cookbook import rendered, services
from ochaq_web.core.events import handlers

pytestmark = pytest.mark.django_db

PATHS = ("/api/v1/recipes/", "/api/v1/recipes/?q=plov")


@pytest.fixture
def cookbook(api: Any) -> Any:
    """Reading as a visitor, from what is rendered; and with everything forgotten before."""
    visitor = api()

    def read(path: str, *, anew: bool = False) -> Any:
        if anew:
            rendered.forget_strictly()
        answer = visitor.get(path)
        # A problem carries the id of its own request, so of one only the status can be compared.
        return answer.status_code, answer.json() if answer.status_code == 200 else None

    return read


def told(after: int) -> list[tuple[int, CloudEvent]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, body::text FROM outbox WHERE id > %s ORDER BY id", (after,))
        return [(number, CloudEvent.model_validate(json.loads(body))) for number, body in cursor.fetchall()]


def test_recipes_that_come_change_and_go_are_followed(cookbook: Any, make_recipe: Any) -> None:
    recipe = make_recipe("Plov")
    paths = (*PATHS, f"/api/v1/recipes/{recipe.id}/")
    at = told(0)[-1][0]

    def verify(action: Callable[[], Any]) -> None:
        nonlocal at
        before = {path: cookbook(path, anew=True) for path in paths}
        for path in paths:
            cookbook(path)
        action()
        stale = {path: cookbook(path) for path in paths}
        assert stale == before, "without the event these answers would stay for their time to live"
        for number, event in told(at):
            at = number
            fact = event.fact()
            for _ in range(2):
                handlers()[type(fact)](event, fact)
        followed = {path: cookbook(path) for path in paths}
        assert followed == {path: cookbook(path, anew=True) for path in paths}
        assert followed != before, "an action that changes nothing verifies nothing"

    verify(lambda: services.recipe_change(recipe_id=recipe.id, changes={"name": "Plov with quince"}))
    verify(lambda: make_recipe("Plov from Samarkand"))
    verify(lambda: services.foods_changed(foods=_renamed(recipe)))
    verify(lambda: services.recipe_remove(recipe_id=recipe.id))


def _renamed(recipe: Any) -> list[Any]:
    food = recipe.ingredients.select_related("food").first().food
    food.name = "long rice"
    food.save()
    return [food]
