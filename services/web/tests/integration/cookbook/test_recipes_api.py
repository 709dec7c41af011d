"""/api/v1/recipes/: what contract.md promises to readers and writers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections
from ochaq_web.cookbook import rendered, services
from ochaq_web.cookbook.models import Food, Recipe
from ochaq_web.cookbook.services import IngredientLine

LIST = "/api/v1/recipes/"
Make = Callable[..., Any]


@pytest.fixture
def manager(api: Make) -> Any:
    return api("manager")


def url(recipe: Recipe) -> str:
    return f"{LIST}{recipe.id}/"


def outbox() -> list[tuple[str, dict[str, Any]]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT body->>'type', body->'data' FROM outbox WHERE subject LIKE 'recipe:%' ORDER BY id")
        return [
            (kind.split(".")[3], data if isinstance(data, dict) else json.loads(data))
            for kind, data in cursor.fetchall()
        ]


# Reading


@pytest.mark.django_db
def test_a_recipe_has_the_whole_shape(client: Any, make_recipe: Make) -> None:
    recipe = make_recipe("Plov", tags=["Rice", "uzbek"], desc="Golden.", servings=6)
    body = client.get(url(recipe)).json()
    assert body.pop("updated_at").endswith("Z")
    rice, salt = Food.objects.get(name="rice"), Food.objects.get(name="salt")
    assert body == {
        "id": recipe.id,
        "slug": "plov",
        "name": "Plov",
        "desc": "Golden.",
        "instructions": "Wash.\nBoil.",
        "servings": 6,
        "tags": ["Rice", "uzbek"],
        "ingredients": [
            {"food": {"id": rice.id, "name": "rice"}, "amount": "0.125", "unit_of_measure": "cup", "desc": "rinsed"},
            {"food": {"id": salt.id, "name": "salt"}, "amount": None, "unit_of_measure": "", "desc": ""},
        ],
        "version": 1,
        "plate_url": "/recipes/plov/plate.svg?v=1",
    }


@pytest.mark.django_db
def test_the_list_pages_by_cursor_and_holds_whole_recipes(client: Any, make_recipe: Make) -> None:
    made = [make_recipe(f"Recipe {number}").id for number in range(30)]
    first = client.get(LIST).json()
    assert [row["id"] for row in first["results"]] == made[:4:-1]
    assert first["previous"] is None
    assert first["results"][0]["ingredients"][0]["amount"] == "0.125"
    second = client.get(first["next"]).json()
    assert [row["id"] for row in second["results"]] == made[4::-1]
    assert second["next"] is None
    assert [row["id"] for row in client.get(second["previous"]).json()["results"]] == made[:4:-1]
    assert len(client.get(LIST, {"limit": 7}).json()["results"]) == 7


@pytest.mark.django_db
def test_filters_find_by_name_tag_and_food(client: Any, make_recipe: Make) -> None:
    make_recipe("Борщ (beetroot soup)", tags=["soups"], ingredients=[IngredientLine(food_name="beetroot")])
    make_recipe("Mercimek çorbası", tags=["Soups", "quick"], ingredients=[IngredientLine(food_name="red lentils")])
    make_recipe("Plov", tags=["rice"])

    def names(**filters: Any) -> list[str]:
        return [row["name"] for row in client.get(LIST, filters).json()["results"]]

    assert names(q="borsch") == ["Борщ (beetroot soup)"]
    assert names(q="CORBA mercimek") == ["Mercimek çorbası"]
    assert names(q="lentil") == ["Mercimek çorbası"]
    assert names(q="rice") == ["Plov"]
    assert len(names(tag="SOUPS")) == 2
    assert names(tag="soups", q="borsch") == ["Борщ (beetroot soup)"]
    assert names(food="Red Lentils") == ["Mercimek çorbası"]
    assert names(food=str(Food.objects.get(name="beetroot").id)) == ["Борщ (beetroot soup)"]
    assert names(q="100%_") == names(tag="none") == names(food="0") == []


@pytest.mark.django_db
def test_a_recipe_that_uses_a_food_twice_is_found_once(client: Any, make_recipe: Make) -> None:
    lines = [
        IngredientLine(food_name="butter", desc="for the dough"),
        IngredientLine(food_name="Butter", desc="for the pan"),
    ]
    make_recipe("Pie", ingredients=lines)
    assert Food.objects.count() == 1
    assert len(client.get(LIST, {"food": "butter"}).json()["results"]) == 1


@pytest.mark.django_db
def test_the_second_reader_gets_a_hit_without_a_query(
    client: Any, make_recipe: Make, django_assert_num_queries: Any
) -> None:
    recipe = make_recipe()
    for address in (LIST, url(recipe), "/api/v1/foods/"):
        miss = client.get(address)
        assert "hit" not in miss["Cache-Status"]
        with django_assert_num_queries(0):
            hit = client.get(address)
        assert hit["Cache-Status"].startswith("ochaq-web; hit; ttl=")
        assert hit.content == miss.content


@pytest.mark.django_db
def test_a_page_costs_the_same_queries_for_one_recipe_and_for_forty(
    client: Any, make_recipe: Make, django_assert_num_queries: Any
) -> None:
    make_recipe("First")
    for _ in range(2):
        with rendered.bypassed(), django_assert_num_queries(3):
            assert client.get(LIST, {"limit": 200}).status_code == 200
        for number in range(40):
            make_recipe(f"Recipe {number}", tags=[f"tag {number}"])


@pytest.mark.django_db
def test_its_own_etag_gives_304_and_another_does_not(client: Any, make_recipe: Make) -> None:
    recipe = make_recipe()
    for address in (LIST, url(recipe)):
        full = client.get(address)
        assert full["ETag"].startswith('"')
        for known in (full["ETag"], f'"x", W/{full["ETag"]}', "*"):
            again = client.get(address, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again["ETag"] == full["ETag"]
            assert again["Cache-Control"] == full["Cache-Control"]
        assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.django_db
def test_visitors_may_share_answers_and_signed_in_readers_may_not(
    client: Any, browser: Make, api: Make, make_recipe: Make
) -> None:
    make_recipe()
    anonymous = client.get(LIST)
    assert anonymous["Cache-Control"] == "public, max-age=0, s-maxage=1"
    assert "Cookie" not in anonymous.get("Vary", "")
    for signed_in in (browser("student"), api("student")):
        answer = signed_in.get(LIST)
        assert answer["Cache-Control"] == "private, max-age=0"
        assert answer.content == anonymous.content
    assert api().get(LIST, headers={"Authorization": "Bearer x.y.z"}).status_code == 401


@pytest.mark.django_db
def test_head_is_get_without_a_body(client: Any, make_recipe: Make) -> None:
    make_recipe()
    assert client.head(LIST)["ETag"] == client.get(LIST)["ETag"]
    assert client.head(LIST).content == b""


@pytest.mark.django_db
def test_unknown_parameters_are_neither_cached_apart_nor_echoed(client: Any, make_recipe: Make) -> None:
    for number in range(3):
        make_recipe(f"Recipe {number}")
    client.get(LIST, {"limit": 2})
    odd = client.get(LIST, {"limit": "2", "utm": "spam", "q": ""})
    assert "hit" in odd["Cache-Status"]
    assert "utm" not in odd.json()["next"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    [
        "limit=many",
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=",
        "cursor=%%%",
        "cursor=x.y",
        "q=" + "a" * 201,
        "q=a%00",
        "tag=" + "a" * 51,
    ],
)
def test_a_question_that_makes_no_sense_is_a_422(client: Any, query: str) -> None:
    response = client.get(f"{LIST}?{query}")
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "request.invalid"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["999999999/", "abc/", "99999999999999999999999/", "-1/", "0/"])
def test_an_unknown_recipe_is_a_404_problem(client: Any, path: str) -> None:
    response = client.get(LIST + path)
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


@pytest.mark.django_db
def test_foods_are_listed_by_name(client: Any, make_recipe: Make) -> None:
    make_recipe()
    assert [food["name"] for food in client.get("/api/v1/foods/").json()["results"]] == ["rice", "salt"]
    assert [food["name"] for food in client.get("/api/v1/foods/", {"q": "RIC"}).json()["results"]] == ["rice"]
    assert client.post("/api/v1/foods/", {}, content_type="application/json").status_code in {401, 405}


# Writing


FULL = {
    "name": "Lagʻmon",
    "desc": "Pulled noodles.",
    "instructions": "Pull.\nBoil.",
    "servings": 4,
    "tags": ["noodles", "Noodles", "uzbek"],
    "ingredients": [
        {"food": {"name": "wheat  flour"}, "amount": "1.5", "unit_of_measure": "cup", "desc": "sifted"},
        {"food": {"name": "Wheat Flour"}, "amount": 0.125, "unit_of_measure": "cup"},
        {"food": {"name": "salt"}},
    ],
}


@pytest.mark.django_db
def test_an_instructor_publishes_a_recipe(api: Make, client: Any) -> None:
    response = api("instructor").post(LIST, FULL)
    assert response.status_code == 201
    body = response.json()
    assert response["Location"] == f"{LIST}{body['id']}/"
    assert response["ETag"] == client.get(response["Location"])["ETag"]
    assert body == client.get(response["Location"]).json()
    assert [line["amount"] for line in body["ingredients"]] == ["1.500", "0.125", None]
    assert {line["food"]["name"] for line in body["ingredients"]} == {"wheat flour", "salt"}
    assert body["tags"] == ["noodles", "uzbek"]
    assert outbox() == [("published", {"id": body["id"], "slug": "lagmon", "name": "Lagʻmon", "version": 1})]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("roles", "status"), [((), 401), (("student",), 403), (("customer",), 403), (("operator",), 403)]
)
def test_others_may_not_write(api: Make, make_recipe: Make, roles: tuple[str, ...], status: int) -> None:
    recipe = make_recipe()
    client = api(*roles)
    answers = [
        client.post(LIST, FULL),
        client.put(url(recipe), FULL),
        client.patch(url(recipe), {"name": "x"}),
        client.delete(url(recipe)),
    ]
    assert {answer.status_code for answer in answers} == {status}
    assert Recipe.objects.get().version == 1


@pytest.mark.django_db
def test_put_replaces_everything_and_patch_only_what_it_names(manager: Any, make_recipe: Make) -> None:
    recipe = make_recipe(tags=["rice"], desc="Old.")
    patched = manager.patch(url(recipe), {"servings": 9}).json()
    assert (patched["servings"], patched["version"], patched["desc"], patched["tags"]) == (9, 2, "Old.", ["rice"])
    assert len(patched["ingredients"]) == 2
    swapped = manager.patch(url(recipe), {"ingredients": [{"food": {"name": "bulgur"}}]}).json()
    assert [(line["food"]["name"], line["amount"]) for line in swapped["ingredients"]] == [("bulgur", None)]
    put = manager.put(url(recipe), {"name": "Pilaf"}).json()
    assert (put["name"], put["slug"], put["desc"], put["servings"], put["tags"], put["ingredients"]) == (
        "Pilaf",
        "plov",
        None,
        4,
        [],
        [],
    )
    assert [kind for kind, _ in outbox()] == ["published", "changed", "changed", "changed"]
    assert [data["version"] for _, data in outbox()] == [1, 2, 3, 4]


@pytest.mark.django_db
def test_what_was_read_can_be_sent_back(manager: Any, make_recipe: Make) -> None:
    recipe = make_recipe(tags=["rice"], desc="Golden.")
    before = manager.get(url(recipe)).json()
    after = manager.put(url(recipe), before).json()
    for field in ("version", "updated_at", "plate_url"):
        before.pop(field), after.pop(field)
    assert before == after


@pytest.mark.django_db
def test_delete_removes_and_tells(manager: Any, make_recipe: Make) -> None:
    recipe = make_recipe()
    assert manager.delete(url(recipe)).status_code == 204
    assert manager.delete(url(recipe)).status_code == 404
    assert outbox()[-1] == ("removed", {"id": recipe.id, "slug": "plov", "name": "Plov", "version": 2})
    assert Food.objects.count() == 2


@pytest.mark.django_db
def test_a_stale_if_match_is_a_412_and_changes_nothing(manager: Any, make_recipe: Make) -> None:
    recipe = make_recipe()
    etag = manager.get(url(recipe))["ETag"]
    assert manager.patch(url(recipe), {"name": "A"}, headers={"If-Match": etag}).status_code == 200
    for call in (manager.patch, manager.put):
        refused = call(url(recipe), {"name": "B"}, headers={"If-Match": etag})
        assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert manager.delete(url(recipe), headers={"If-Match": etag}).status_code == 412
    rendered.forget()  # this test's transaction never commits, so its changes forget nothing by themselves
    fresh = manager.get(url(recipe))["ETag"]
    assert fresh != etag
    # nginx makes tags weak when it compresses; "*" means any version.
    assert manager.patch(url(recipe), {"name": "C"}, headers={"If-Match": f"W/{fresh}"}).status_code == 200
    assert manager.delete(url(recipe), headers={"If-Match": "*"}).status_code == 204


@pytest.mark.django_db(transaction=True)
def test_of_ten_writers_with_the_same_version_exactly_one_wins(make_recipe: Make) -> None:
    recipe = make_recipe()
    gate = threading.Barrier(10)

    def write(number: int) -> str:
        try:
            gate.wait()
            services.recipe_change(recipe_id=recipe.id, changes={"name": f"Name {number}"}, guard=_only_version(1))
            return "won"
        except LookupError:
            return "refused"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(write, range(10)))
    assert sorted(outcomes) == ["refused"] * 9 + ["won"]
    assert Recipe.objects.get().version == 2
    assert len(outbox()) == 2


@pytest.mark.django_db(transaction=True)
def test_equal_names_at_once_get_different_addresses_and_one_food() -> None:
    def publish(number: int) -> str:
        try:
            return services.recipe_publish(
                name="Plov", ingredients=[IngredientLine(food_name="Rice")], tags=["rice"]
            ).slug
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        slugs = list(pool.map(publish, range(8)))
    assert sorted(slugs) == sorted(["plov", *(f"plov-{number}" for number in range(2, 9))])
    assert Food.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_writer_reads_what_was_written_at_once(client: Any, make_recipe: Make) -> None:
    recipe = make_recipe()
    for number in range(5):
        assert client.get(LIST).json()["results"][0]["name"] == client.get(url(recipe)).json()["name"]
        services.recipe_change(recipe_id=recipe.id, changes={"name": f"Plov {number}"})
        for address in (LIST, url(recipe)):
            assert f"Plov {number}" in client.get(address).content.decode()


@pytest.mark.django_db
def test_the_same_idempotency_key_publishes_once(manager: Any) -> None:
    first = manager.post(LIST, FULL, headers={"Idempotency-Key": "k1"})
    again = manager.post(LIST, FULL, headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true"
    assert again["ETag"] == first["ETag"]
    other = manager.post(LIST, {"name": "Other"}, headers={"Idempotency-Key": "k1"})
    assert other.status_code == 422
    assert Recipe.objects.count() == 1
    assert len(outbox()) == 1


def _line(**fields: Any) -> dict[str, Any]:
    return {"name": "x", "ingredients": [{"food": {"name": "salt"}, **fields}]}


BAD = {
    "no name": {},
    "empty name": {"name": ""},
    "blank name": {"name": "   "},
    "null name": {"name": None},
    "number as name": {"name": 5},
    "long name": {"name": "a" * 256},
    "NUL in name": {"name": "a\u0000b"},
    "list": [],
    "text": "recipe",
    "null": None,
    "unknown field": {"name": "x", "serwings": 4},
    "long desc": {"name": "x", "desc": "a" * 5_001},
    "long instructions": {"name": "x", "instructions": "a" * 50_001},
    "no servings": {"name": "x", "servings": 0},
    "negative servings": {"name": "x", "servings": -1},
    "many servings": {"name": "x", "servings": 1001},
    "fractional servings": {"name": "x", "servings": 1.5},
    "true servings": {"name": "x", "servings": True},
    "text servings": {"name": "x", "servings": "4"},
    "tags as text": {"name": "x", "tags": "soup"},
    "empty tag": {"name": "x", "tags": [""]},
    "number as tag": {"name": "x", "tags": [1]},
    "many tags": {"name": "x", "tags": [f"t{n}" for n in range(21)]},
    "ingredients as object": {"name": "x", "ingredients": {}},
    "many ingredients": {"name": "x", "ingredients": [{"food": {"name": "salt"}}] * 101},
    "ingredient without food": {"name": "x", "ingredients": [{"amount": "1"}]},
    "food as text": {"name": "x", "ingredients": [{"food": "salt"}]},
    "food without anything": {"name": "x", "ingredients": [{"food": {}}]},
    "unknown food id": {"name": "x", "ingredients": [{"food": {"id": 999999}}]},
    "huge food id": {"name": "x", "ingredients": [{"food": {"id": 10**30}}]},
    "empty food name": {"name": "x", "ingredients": [{"food": {"name": ""}}]},
    "negative amount": _line(amount="-0.001"),
    "four places": _line(amount="0.0001"),
    "too much": _line(amount="1000"),
    "not a number": _line(amount="NaN"),
    "infinite": _line(amount="Infinity"),
    "words": _line(amount="a pinch"),
    "true amount": _line(amount=True),
    "float that is not exact": _line(amount=0.12345),
    "long digits": _line(amount="1" * 2000),
    "long unit": _line(unit_of_measure="u" * 256),
    "long note": _line(desc="d" * 1_001),
    "unknown ingredient field": _line(unit="cup"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_bad_input_is_a_422_that_changes_nothing(manager: Any, make_recipe: Make, body: Any) -> None:
    recipe = make_recipe()
    for call, address in ((manager.post, LIST), (manager.put, url(recipe))):
        response = call(address, json.dumps(body), content_type="application/json")
        assert response.status_code == 422, response.content
        assert response.json()["code"] == "request.invalid"
        assert response.json()["errors"] or body is None
    assert Recipe.objects.count() == 1
    assert Recipe.objects.get().version == 1
    assert not Food.objects.exclude(name__in=["rice", "salt"]).exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("raw", "kind", "status"),
    [
        (b'{"name": ', "application/json", 400),
        (b"\xff\xfe{}", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"name": "x", "servings": 1e999}', "application/json", 422),
        (b"x=1", "text/plain", 415),
        (b"name=x", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_is_no_json_is_refused(manager: Any, raw: bytes, kind: str, status: int) -> None:
    assert manager.post(LIST, raw, content_type=kind).status_code == status
    assert not Recipe.objects.exists()


@pytest.mark.django_db
def test_methods_that_a_door_does_not_have_are_405(manager: Any, make_recipe: Make) -> None:
    recipe = make_recipe()
    for response in (
        manager.put(LIST, {}),
        manager.patch(LIST, {}),
        manager.delete(LIST),
        manager.post(url(recipe), FULL),
    ):
        assert response.status_code == 405
        assert response["Allow"]


@pytest.mark.django_db
def test_errors_point_at_the_field(manager: Any) -> None:
    response = manager.post(
        LIST, {"name": "x", "ingredients": [{"food": {"name": "salt"}}, {"food": {"name": "dill"}, "amount": "-1"}]}
    )
    assert [error["pointer"] for error in response.json()["errors"]] == ["/ingredients/1/amount"]


@pytest.mark.django_db
def test_a_renamed_food_is_a_new_version_of_its_recipes(client: Any, make_recipe: Make) -> None:
    recipe, other = make_recipe(), make_recipe("Tea", ingredients=[IngredientLine(food_name="tea", amount=Decimal(1))])
    rice = Food.objects.get(name="rice")
    rice.name = "devzira rice"
    rice.save()
    assert services.foods_changed(foods=[rice]) == 1
    rendered.forget()
    assert client.get(url(recipe)).json()["version"] == 2
    assert client.get(LIST, {"q": "devzira"}).json()["results"][0]["id"] == recipe.id
    assert Recipe.objects.get(id=other.id).version == 1


def _only_version(version: int) -> services.Guard:
    def check(recipe: Recipe) -> None:
        if recipe.version != version:
            raise LookupError

    return check
