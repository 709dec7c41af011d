"""The cookbook in the admin: what is saved there is versioned and told like everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from ochaq_web.accounts.models import User
from ochaq_web.cookbook.models import Food, Recipe, Tag

Make = Callable[..., Any]
pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Any) -> Any:
    client.force_login(User.objects.create_superuser("root@example.com", "salt and pepper 42"))
    return client


def _form(recipe: Recipe | None, **fields: Any) -> dict[str, Any]:
    lines = list(recipe.ingredients.all()) if recipe else []  # type: ignore[attr-defined]
    form = {
        "name": recipe.name if recipe else "",
        "servings": 4,
        "desc": "",
        "instructions": "Boil.",
        "tags": [],
        "ingredients-TOTAL_FORMS": len(lines),
        "ingredients-INITIAL_FORMS": len(lines),
        "ingredients-MIN_NUM_FORMS": 0,
        "ingredients-MAX_NUM_FORMS": 1000,
    }
    for index, line in enumerate(lines):
        form |= {
            f"ingredients-{index}-id": line.id,
            f"ingredients-{index}-recipe": recipe.id,  # type: ignore[union-attr]
            f"ingredients-{index}-position": line.position,
            f"ingredients-{index}-food": line.food_id,
            f"ingredients-{index}-amount": line.amount or "",
            f"ingredients-{index}-unit_of_measure": line.unit_of_measure,
            f"ingredients-{index}-desc": line.desc,
        }
    return {**form, **fields}


def _told() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT body->>'type' FROM outbox WHERE subject LIKE 'recipe:%' ORDER BY id")
        return [row[0].split(".")[3] for row in cursor.fetchall()]


def test_every_list_and_form_opens(desk: Any, make_recipe: Make) -> None:
    recipe = make_recipe(tags=["rice"])
    for model, row in (("recipe", recipe), ("food", Food.objects.first()), ("tag", Tag.objects.first())):
        assert desk.get(f"/admin/cookbook/{model}/", {"q": "r"}).status_code == 200
        assert desk.get(f"/admin/cookbook/{model}/{row.pk}/change/").status_code == 200
        assert desk.get(f"/admin/cookbook/{model}/add/").status_code == 200


def test_a_change_is_a_new_version(desk: Any, make_recipe: Make) -> None:
    recipe = make_recipe()
    form = _form(recipe, **{"name": "Osh", "ingredients-0-amount": "2.5"})
    response = desk.post(f"/admin/cookbook/recipe/{recipe.pk}/change/", form)
    assert response.status_code == 302, response.context["errors"]
    changed = Recipe.objects.get()
    assert (changed.name, changed.slug, changed.version) == ("Osh", "plov", 2)
    assert "osh" in changed.search_text
    assert str(changed.ingredients.first().amount) == "2.500"  # type: ignore[attr-defined]
    assert _told() == ["published", "changed"]


def test_a_new_recipe_is_published(desk: Any) -> None:
    response = desk.post("/admin/cookbook/recipe/add/", _form(None, name="Şöbiyet"))
    assert response.status_code == 302, response.context["errors"]
    assert Recipe.objects.get().slug == "sobiyet"
    assert _told() == ["published"]


def test_deleting_tells_for_one_and_for_many(desk: Any, make_recipe: Make) -> None:
    one, two, three = (make_recipe(name) for name in ("A", "B", "C"))
    desk.post(f"/admin/cookbook/recipe/{one.pk}/delete/", {"post": "yes"})
    many = {"action": "delete_selected", "_selected_action": [two.pk, three.pk], "post": "yes"}
    desk.post("/admin/cookbook/recipe/", many)
    assert not Recipe.objects.exists()
    assert _told().count("removed") == 3


def test_a_renamed_food_and_a_removed_tag_are_new_versions(desk: Any, make_recipe: Make) -> None:
    make_recipe(tags=["rice"])
    rice, tag = Food.objects.get(name="rice"), Tag.objects.get()
    look = {"category": rice.category, "colour": rice.colour, "motif": rice.motif}
    desk.post(f"/admin/cookbook/food/{rice.pk}/change/", {"name": "devzira", **look})
    assert Recipe.objects.get().version == 2
    desk.post(f"/admin/cookbook/tag/{tag.pk}/delete/", {"post": "yes"})
    assert Recipe.objects.get().version == 3
    assert "devzira" in Recipe.objects.get().search_text


def test_a_food_in_use_cannot_be_deleted(desk: Any, make_recipe: Make) -> None:
    make_recipe()
    desk.post(f"/admin/cookbook/food/{Food.objects.get(name='rice').pk}/delete/", {"post": "yes"})
    assert Food.objects.filter(name="rice").exists()


def test_publishing_again_is_an_action(desk: Any, make_recipe: Make) -> None:
    recipe = make_recipe()
    desk.post("/admin/cookbook/recipe/", {"action": "redraw", "_selected_action": [recipe.pk]})
    assert Recipe.objects.get().version == 2
