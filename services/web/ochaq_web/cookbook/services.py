"""Everything that changes the cookbook. Each function is one transaction: rows, version, event; then the cache.

Whoever changes a recipe locks its row first, so versions grow one by one and events leave in the order of the versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from ochaq_shared import outbox
from ochaq_shared.events.cookbook import RecipeChanged, RecipePublished, RecipeRemoved
from ochaq_shared.problems import FieldError, Problem

from ochaq_web.cookbook import problems, rendered
from ochaq_web.cookbook.models import Food, Ingredient, Recipe, Tag, folded_name, folded_value
from ochaq_web.cookbook.plates.palette import look_of
from ochaq_web.cookbook.selectors import complete
from ochaq_web.cookbook.words import folded, slug_of

# Judges a locked recipe before it is changed, e.g. by If-Match; raises to refuse.
Guard = Callable[[Recipe], None]
TEXT_FIELDS = ("name", "desc", "instructions", "servings")
SLUG_TRIES = 100


@dataclass(frozen=True)
class IngredientLine:
    """One ingredient as somebody writes it: the food by id, or by name, which makes unknown foods known."""

    food_id: int | None = None
    food_name: str | None = None
    amount: Decimal | None = None
    unit_of_measure: str = ""
    desc: str = ""


def recipe_publish(
    *, name: str, ingredients: Sequence[IngredientLine] = (), tags: Iterable[str] = (), **fields: Any
) -> Recipe:
    """Make a recipe. `fields`: desc, instructions, servings."""
    with transaction.atomic():
        recipe = Recipe.objects.create(name=name, slug=slug_free(name), **fields)
        _write_ingredients(recipe, ingredients)
        recipe.tags.set(_tags(tags))
        _index(recipe)
        _tell(RecipePublished, recipe)
        # Read inside the transaction, so that the answer shows this version and no later one.
        return complete(recipe)


def recipe_change(*, recipe_id: int, changes: Mapping[str, Any], guard: Guard | None = None) -> Recipe:
    """Change the given fields; what is not in `changes` stays. Ingredients and tags are replaced as a whole."""
    with transaction.atomic():
        recipe = _locked(recipe_id, guard)
        for field in TEXT_FIELDS:
            if field in changes:
                setattr(recipe, field, changes[field])
        if "ingredients" in changes:
            recipe.ingredients.all().delete()
            _write_ingredients(recipe, changes["ingredients"])
        if "tags" in changes:
            recipe.tags.set(_tags(changes["tags"]))
        _next_version(recipe)
        return complete(recipe)


def recipe_remove(*, recipe_id: int, guard: Guard | None = None) -> None:
    """Remove a recipe with its ingredients; the foods stay."""
    with transaction.atomic():
        recipe = _locked(recipe_id, guard)
        recipe.version += 1
        _tell(RecipeRemoved, recipe)
        recipe.delete()


def recipe_rows_changed(*, recipe_id: int) -> Recipe:
    """Somebody (the admin) has written rows of this recipe in the current transaction: version it and tell."""
    with transaction.atomic():
        recipe = _locked(recipe_id, None)
        _next_version(recipe)
    return recipe


def recipe_rows_published(*, recipe: Recipe) -> Recipe:
    """The same for a recipe whose row the admin has just made."""
    with transaction.atomic():
        _index(recipe)
        _tell(RecipePublished, recipe)
    return recipe


def foods_changed(*, foods: Sequence[Food]) -> int:
    """Foods got another name or look: every recipe with one of them is a new version. Answers how many."""
    return _touch(Recipe.objects.filter(ingredients__food__in=foods))


def tags_changed(*, tags: Sequence[Tag]) -> int:
    """The same for tags."""
    return _touch(Recipe.objects.filter(tags__in=tags))


def tag_remove(*, tag: Tag) -> int:
    """Take a tag off all its recipes and forget it. Answers how many recipes have a new version."""
    with transaction.atomic():
        recipe_ids = list(tag.recipes.values_list("id", flat=True))
        tag.delete()
        return _touch(Recipe.objects.filter(id__in=recipe_ids))


def slug_free(name: str) -> str:
    """The name's slug, or the first of `-2`, `-3`, … that is free; two equal names at once wait for each other.

    Call it inside the transaction that saves the recipe.
    """
    base = slug_of(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cookbook.slug:{base}"])
    taken = set(Recipe.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    for candidate in (base, *(f"{base}-{number}" for number in range(2, SLUG_TRIES))):
        if candidate not in taken:
            return candidate
    raise Problem(problems.SLUG_TAKEN, f"There are {SLUG_TRIES - 1} recipes of this name already.")


def _touch(recipes: Any) -> int:
    with transaction.atomic():
        # Locked in the order of ids, so that two such changes cannot wait for each other.
        ids = sorted(set(recipes.values_list("id", flat=True)))
        for recipe_id in ids:
            _next_version(_locked(recipe_id, None))
        rendered.forget_after_commit()
    return len(ids)


def _locked(recipe_id: int, guard: Guard | None) -> Recipe:
    """The recipe, locked until the transaction ends. Raises Recipe.DoesNotExist, or whatever `guard` raises."""
    recipe = Recipe.objects.select_for_update(of=("self",)).get(id=recipe_id)
    if guard:
        guard(recipe)
    return recipe


def _next_version(recipe: Recipe) -> None:
    recipe.version += 1
    _index(recipe)
    _tell(RecipeChanged, recipe)


def _index(recipe: Recipe) -> None:
    names = [recipe.name, *recipe.tags.values_list("name", flat=True), *recipe.foods.values_list("name", flat=True)]
    recipe.search_text = folded(*names)
    recipe.save()


def _tell(fact: type[RecipePublished | RecipeChanged | RecipeRemoved], recipe: Recipe) -> None:
    what = fact(id=recipe.id, slug=recipe.slug, name=recipe.name, version=recipe.version)
    outbox.emit(connection, what, subject=f"recipe:{recipe.id}", version=recipe.version)
    rendered.forget_after_commit()


def _write_ingredients(recipe: Recipe, lines: Sequence[IngredientLine]) -> None:
    foods = _foods(lines)
    Ingredient.objects.bulk_create(
        Ingredient(
            recipe=recipe,
            food=food,
            amount=line.amount,
            unit_of_measure=line.unit_of_measure,
            desc=line.desc,
            position=position,
        )
        for position, (line, food) in enumerate(zip(lines, foods, strict=True))
    )


def _foods(lines: Sequence[IngredientLine]) -> list[Food]:
    """The food of each line. An unknown id is a 422 that points at its line; an unknown name becomes a food."""
    by_id = Food.objects.in_bulk([line.food_id for line in lines if line.food_id is not None])
    unknown = [
        FieldError(f"/ingredients/{index}/food/id", "does_not_exist", "There is no such food.")
        for index, line in enumerate(lines)
        if line.food_id is not None and line.food_id not in by_id
    ]
    if unknown:
        raise Problem("request.invalid", errors=unknown)
    by_name = _foods_named([line.food_name for line in lines if line.food_id is None and line.food_name])
    return [by_id[line.food_id] if line.food_id is not None else by_name[fold(line.food_name or "")] for line in lines]


def _foods_named(names: Sequence[str]) -> dict[str, Food]:
    # Of two spellings the first counts, as in `_tags`.
    wanted = {fold(name): name for name in reversed(names)}
    # Sorted, so that two requests that make the same new foods wait for each other in one order only.
    return {key: food_named(wanted[key]) for key in sorted(wanted)}


def fold(name: str) -> str:
    """What makes two names the same name."""
    return " ".join(name.split()).casefold()


def food_named(name: str) -> Food:
    """The food of that name, made when it is new. Two requests at once get the same row."""
    return _named(Food, name, look_of(name))


def _tags(names: Iterable[str]) -> list[Tag]:
    wanted = {fold(name): " ".join(name.split()) for name in reversed(list(names))}
    return [_named(Tag, wanted[key], {"slug": slug_of(wanted[key])}) for key in sorted(wanted)]


def _named(model: type[Any], name: str, defaults: Mapping[str, Any]) -> Any:
    name = " ".join(name.split())
    same_name = model.objects.alias(folded=folded_name()).filter(folded=folded_value(name))
    found = same_name.first()
    if found is None:
        # ON CONFLICT DO NOTHING waits for a competing insert, after which the row can be read.
        model.objects.bulk_create([model(name=name, **defaults)], ignore_conflicts=True)
        found = same_name.all().first()
    if found is None and model is Tag:
        # Two names in two scripts may share their Latin letters: the address decides, so they are one tag.
        found = Tag.objects.get(slug=defaults["slug"])
    return found
