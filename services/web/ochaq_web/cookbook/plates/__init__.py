"""Plates: every recipe's picture, composed from its foods and seen from above.

`draw` is a pure function of a `Dish`: the same foods give the same bytes on every machine, so a picture can be cached
for ever under the recipe's version.
"""

from __future__ import annotations

from ochaq_web.cookbook import rendered, selectors
from ochaq_web.cookbook.models import Recipe
from ochaq_web.cookbook.plates import vessels
from ochaq_web.cookbook.plates.dish import Dish, Part, course_of, grams
from ochaq_web.cookbook.plates.layouts import LAYOUTS
from ochaq_web.cookbook.plates.pen import Drawing

_WITH_SPOON = frozenset({"soups", "sweets", "beans and lentils"})
_WITH_CHOPSTICKS = frozenset({"japanese", "chinese", "korean"})
_BARE = frozenset({"drinks", "breads", "savoury pastries", "preserves", "sauces", "meze"})


def draw(dish: Dish, *, tool: str = "fork") -> bytes:
    """The picture as SVG, without text, scripts or styles."""
    drawing = Drawing(dish.seed)
    vessels.cloth(drawing)
    if tool:
        getattr(vessels, tool)(drawing)
    LAYOUTS[dish.course](drawing, dish)
    return drawing.svg()


def draw_recipe(recipe: Recipe) -> bytes:
    """The picture of a recipe with its tags, ingredients and foods."""
    tags = [tag.name for tag in recipe.tags.all()]
    parts = tuple(
        Part(
            line.food.name,
            line.food.colour,
            line.food.motif,
            line.food.category,
            grams(line.amount, line.unit_of_measure),
        )
        for line in recipe.ingredients.all()
    )
    dish = Dish(recipe.slug, course_of(tags), parts or (Part("bread", "#d99a4a", "chunk", "bread", 100),))
    return draw(dish, tool=_tool(dish.course, tags))


def plate_of(slug: str) -> tuple[rendered.Answer, str]:
    """The cached picture of the recipe at that address, and the version it shows. Raises Recipe.DoesNotExist."""

    def render() -> rendered.Rendering:
        recipe = selectors.recipe_by_slug(slug)
        return rendered.Rendering(draw_recipe(recipe), f'"plate-{recipe.id}-{recipe.version}"')

    answer = rendered.answer("plate", slug, render)
    return answer, answer.etag.strip('"').rpartition("-")[2]


def _tool(course: str, tags: list[str]) -> str:
    if course in _BARE:
        return ""
    if _WITH_CHOPSTICKS.intersection(tags):
        return "chopsticks"
    return "spoon" if course in _WITH_SPOON else "fork"
