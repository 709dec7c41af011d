"""What the API accepts for a recipe, with its bounds, and its description for OpenAPI."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from ochaq_web.cookbook.models import MAX_AMOUNT, MAX_SERVINGS
from ochaq_web.cookbook.services import IngredientLine

MAX_DESC = 5_000
MAX_INSTRUCTIONS = 50_000
MAX_INGREDIENTS = 100
MAX_TAGS = 20
BIGGEST_ID = 2**63 - 1

# A client may send back what it has read; of a recipe these parts are ours alone.
OURS = frozenset({"id", "slug", "version", "updated_at", "plate_url"})


class Text(serializers.CharField):
    """A JSON string and nothing else: DRF's own field would make "5" of 5."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A JSON integer and nothing else."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class Amount(serializers.DecimalField):
    """An exact amount: `"0.125"`. Numbers are taken by their digits, which three decimal places survive unharmed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=6, decimal_places=3, min_value=Decimal(0), max_value=MAX_AMOUNT, **kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, str | int | float):
            self.fail("invalid")
        if isinstance(data, float) and not math.isfinite(data):
            self.fail("invalid")
        # repr gives the shortest digits of a float, so 0.1 is "0.1" and never 0.1000000000000000055.
        return super().to_internal_value(data if isinstance(data, str) else repr(data))


class Strict(serializers.Serializer):
    """Refuses fields nobody asked for: a misspelt field that is silently ignored is a lost change."""

    ignored: frozenset[str] = frozenset()

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = data.keys() - self.fields.keys() - self.ignored
            if unknown:
                raise serializers.ValidationError(
                    {name: ["There is no such field."] for name in sorted(unknown)}, code="unknown"
                )
        return super().to_internal_value(data)


class FoodInput(Strict):
    """`{"id": 7}` or `{"name": "rye flour"}`; with both the id counts."""

    id = Whole(required=False, min_value=1, max_value=BIGGEST_ID)
    name = Text(required=False, max_length=255)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError("A food needs an id or a name.", code="required")
        return attrs


class IngredientInput(Strict):
    """One line of the ingredients; without an amount it is "to taste"."""

    food = FoodInput()
    amount = Amount(allow_null=True, required=False, default=None)
    unit_of_measure = Text(max_length=255, allow_blank=True, required=False, default="")
    desc = Text(max_length=1_000, allow_blank=True, required=False, default="")


class RecipeInput(Strict):
    """The whole recipe, for POST and PUT."""

    ignored = OURS

    name = Text(max_length=255)
    desc = Text(max_length=MAX_DESC, allow_blank=True, allow_null=True, required=False, default=None)
    instructions = Text(max_length=MAX_INSTRUCTIONS, allow_blank=True, allow_null=True, required=False, default=None)
    servings = Whole(min_value=1, max_value=MAX_SERVINGS, required=False, default=4)
    tags = serializers.ListField(child=Text(max_length=50), max_length=MAX_TAGS, required=False, default=list)
    ingredients = serializers.ListField(
        child=IngredientInput(), max_length=MAX_INGREDIENTS, required=False, default=list
    )

    def values(self) -> dict[str, Any]:
        """The checked input as the services take it."""
        checked: dict[str, Any] = dict(self.validated_data)
        if "ingredients" in checked:
            checked["ingredients"] = [_line(item) for item in checked["ingredients"]]
        return checked


class RecipePatch(RecipeInput):
    """Any part of the recipe. DRF's `partial` would excuse missing fields inside the ingredients too."""

    name = Text(max_length=255, required=False)

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in super().values().items() if name in self.initial_data}


class FoodOutput(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()


class IngredientOutput(serializers.Serializer):
    food = FoodOutput()
    amount = serializers.CharField(allow_null=True, help_text='Exact, with three places: "0.125".')
    unit_of_measure = serializers.CharField()
    desc = serializers.CharField()


class RecipeOutput(serializers.Serializer):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()
    desc = serializers.CharField(allow_null=True)
    instructions = serializers.CharField(allow_null=True, help_text="One step a line.")
    servings = serializers.IntegerField()
    tags = serializers.ListField(child=serializers.CharField())
    ingredients = IngredientOutput(many=True)
    version = serializers.IntegerField()
    updated_at = serializers.DateTimeField()
    plate_url = serializers.CharField()


class RecipePageOutput(serializers.Serializer):
    results = RecipeOutput(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class FoodPageOutput(serializers.Serializer):
    results = FoodOutput(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


def _line(item: dict[str, Any]) -> IngredientLine:
    food = item["food"]
    return IngredientLine(
        food_id=food.get("id"),
        food_name=food.get("name"),
        amount=item["amount"],
        unit_of_measure=item["unit_of_measure"],
        desc=item["desc"],
    )
