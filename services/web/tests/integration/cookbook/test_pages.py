"""The cookbook's pages: they read without JavaScript, and their data comes from the cache."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from ochaq_web.cookbook.services import IngredientLine

Make = Callable[..., Any]
pytestmark = pytest.mark.django_db


def test_the_list_shows_dishes_with_their_plates(client: Any, make_recipe: Make) -> None:
    make_recipe("Plov", tags=["rice"])
    response = client.get("/")
    assert response.status_code == 200
    assert "Plov" in response.content.decode()
    assert "/recipes/plov/plate.svg?v=1" in response.content.decode()
    assert response.context["total"] == 1
    assert response.context["cache"] == {"status": "miss", "ttl": response.context["cache"]["ttl"]}
    assert client.get("/").context["cache"]["status"] == "hit"


def test_only_a_visitors_page_may_be_shared(client: Any, browser: Make, make_recipe: Make) -> None:
    make_recipe()
    for address in ("/", "/recipes/plov/"):
        visitor = client.get(address)
        if "csrftoken" not in visitor.cookies:
            assert visitor["Cache-Control"].startswith("public")
            assert {"Cookie", "Accept-Language"} <= {name.strip() for name in visitor["Vary"].split(",")}
        assert browser("student").get(address)["Cache-Control"] == "private, no-cache"
        client.cookies.clear()


def test_filters_live_in_the_address(client: Any, make_recipe: Make) -> None:
    make_recipe("Plov", tags=["rice"])
    make_recipe("Borsch", tags=["soups"])
    response = client.get("/", {"tag": "rice"})
    assert [recipe["name"] for recipe in response.context["recipes"]] == ["Plov"]
    chips = {tag["name"]: tag for tag in response.context["tags"]}
    assert chips["rice"]["selected"] and chips["rice"]["url"] == "/"
    assert chips["soups"] == {"name": "soups", "count": 1, "url": "/?tag=soups", "selected": False}
    assert client.get("/", {"q": "nothing like it"}).context["recipes"] == []


def test_pages_follow_each_other_without_javascript(client: Any, make_recipe: Make) -> None:
    for number in range(30):
        make_recipe(f"Recipe {number}")
    first = client.get("/")
    assert first.context["next_url"].startswith("/?cursor=")
    second = client.get(first.context["next_url"])
    assert len(second.context["recipes"]) == 5
    assert second.context["previous_url"]


def test_a_recipe_shows_steps_and_fractions(client: Any, make_recipe: Make) -> None:
    lines = [IngredientLine(food_name="flour", amount=Decimal("1.5"), unit_of_measure="cup", desc="sifted")]
    make_recipe("Non", ingredients=lines)
    response = client.get("/recipes/non/")
    assert response.context["recipe"]["steps"] == ["Wash.", "Boil."]
    assert response.context["ingredients"][0]["amount_display"] == "1 1/2"
    assert response.context["can_edit"] is False
    assert "sifted" in response.content.decode()


def test_instructors_may_edit(browser: Make, make_recipe: Make) -> None:
    make_recipe()
    assert browser("instructor").get("/recipes/plov/").context["can_edit"] is True
    assert browser("student").get("/recipes/plov/").context["can_edit"] is False


def test_unknown_recipes_and_wrong_parameters_are_problem_pages(client: Any) -> None:
    assert client.get("/recipes/nothing/").status_code == 404
    assert client.get("/recipes/nothing/plate.svg").status_code == 404
    assert client.get("/", {"cursor": "%%%"}).status_code == 422
    assert client.post("/").status_code == 405


def test_names_are_escaped(client: Any, make_recipe: Make) -> None:
    make_recipe("<script>alert(1)</script>", desc="<b>bold</b>", tags=["<i>"])
    for address in ("/", "/recipes/script-alert-1-script/"):
        text = client.get(address).content.decode()
        assert "<script>alert(1)" not in text
        assert "<b>bold" not in text


def test_a_plate_is_the_same_every_time_and_may_be_kept_for_ever(client: Any, make_recipe: Make) -> None:
    make_recipe()
    first = client.get("/recipes/plov/plate.svg?v=1")
    assert first["Content-Type"].startswith("image/svg+xml")
    assert "immutable" in first["Cache-Control"]
    assert "default-src 'none'" in first["Content-Security-Policy"]
    assert client.get("/recipes/plov/plate.svg?v=1").content == first.content
    assert "immutable" not in client.get("/recipes/plov/plate.svg?v=7")["Cache-Control"]
    assert client.get("/recipes/plov/plate.svg?v=1", headers={"If-None-Match": first["ETag"]}).status_code == 304
