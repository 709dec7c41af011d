"""The cookbook's cached answers: which bytes belong to which question. Nothing here depends on who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from ochaq_shared.problems import FieldError, Problem

from ochaq_web.cookbook import rendered, selectors
from ochaq_web.cookbook.amounts import amount_display
from ochaq_web.cookbook.models import Ingredient, Recipe
from ochaq_web.cookbook.rendered import Answer, Rendering
from ochaq_web.cookbook.representation import etag, food_body, ingredient_body, plate_url, recipe_body
from ochaq_web.core.pagination import Page, limit_from, paginate

LONGEST = {"q": 200, "tag": 50, "food": 255}


@dataclass(frozen=True)
class Question:
    """What a list was asked, checked and put into one order: equal questions share one cached answer.

    It stands in for a request in `paginate`, so that parameters we do not know get neither into keys nor into links.
    """

    path: str
    GET: MultiValueDict[str, str]

    @property
    def key(self) -> str:
        return f"{self.path}?{urlencode(list(self.GET.items()))}"

    @property
    def filters(self) -> selectors.Filters:
        return selectors.Filters(self.GET.get("q", ""), self.GET.get("tag", ""), self.GET.get("food", ""))


def question(path: str, asked: QueryDict, *, names: tuple[str, ...] = ("q", "tag", "food")) -> Question:
    """The question in a query string; 422 when a value cannot be one."""
    known = {name: " ".join(asked.get(name, "").split()) for name in names}
    errors = [
        FieldError(name, "invalid", f"At most {LONGEST[name]} characters, none of them control characters.")
        for name, value in known.items()
        if len(value) > LONGEST[name] or (value and not value.isprintable())
    ]
    if errors:
        raise Problem("request.invalid", errors=errors)
    if "limit" in asked:
        known["limit"] = str(limit_from(str(asked["limit"])))
    if "cursor" in asked:
        known["cursor"] = str(asked["cursor"])
    return Question(path, MultiValueDict({name: [value] for name, value in sorted(known.items()) if value}))


def recipe_list(asked: Question) -> Answer:
    """`GET /api/v1/recipes/`: a page of whole recipes."""

    def render() -> Rendering:
        page = _recipes(asked, selectors.with_everything)
        return Rendering(orjson.dumps(page.body([recipe_body(recipe) for recipe in page.rows])))

    return rendered.answer("list", asked.key, render)


def recipe_detail(recipe_id: int) -> Answer:
    """`GET /api/v1/recipes/{id}/`; raises Recipe.DoesNotExist."""

    def render() -> Rendering:
        recipe = selectors.recipe_by_id(recipe_id)
        return Rendering(orjson.dumps(recipe_body(recipe)), etag(recipe))

    return rendered.answer("detail", str(recipe_id), render)


def food_list(asked: Question) -> Answer:
    """`GET /api/v1/foods/`."""

    def render() -> Rendering:
        page = paginate(asked, selectors.foods_matching(asked.filters.q), ("name", "id"))  # type: ignore[arg-type]
        return Rendering(orjson.dumps(page.body([food_body(food) for food in page.rows])))

    return rendered.answer("foods", asked.key, render)


def list_page(asked: Question) -> tuple[dict[str, Any], Answer]:
    """What the page `/` shows of the cookbook, and where it came from."""

    def render() -> Rendering:
        page = _recipes(asked, lambda recipes: recipes.prefetch_related("tags"))
        shown = {
            "recipes": [_card(recipe) for recipe in page.rows],
            "total": selectors.recipes_matching(asked.filters).count(),
            "tags": selectors.tags_with_counts(),
            "next_url": page.next_url,
            "previous_url": page.previous_url,
        }
        return Rendering(orjson.dumps(shown))

    found = rendered.answer("list-page", asked.key, render)
    return orjson.loads(found.body), found


def detail_page(slug: str) -> tuple[dict[str, Any], Answer]:
    """What `/recipes/{slug}/` shows; raises Recipe.DoesNotExist."""

    def render() -> Rendering:
        recipe = selectors.recipe_by_slug(slug)
        shown = {
            "recipe": {**recipe_body(recipe), "steps": recipe.steps},
            "ingredients": [_line(ingredient) for ingredient in recipe.ingredients.all()],
        }
        return Rendering(orjson.dumps(shown))

    found = rendered.answer("detail-page", slug, render)
    return orjson.loads(found.body), found


def _recipes(asked: Question, prefetch: Any) -> Page[Recipe]:
    recipes = prefetch(selectors.recipes_matching(asked.filters))
    return paginate(asked, recipes, selectors.ORDERING)  # type: ignore[arg-type]


def _card(recipe: Recipe) -> dict[str, Any]:
    return {
        "id": recipe.id,
        "slug": recipe.slug,
        "name": recipe.name,
        "desc": recipe.desc,
        "tags": [tag.name for tag in recipe.tags.all()],
        "servings": recipe.servings,
        "plate_url": plate_url(recipe),
    }


def _line(ingredient: Ingredient) -> dict[str, Any]:
    return {**ingredient_body(ingredient), "amount_display": amount_display(ingredient.amount)}
