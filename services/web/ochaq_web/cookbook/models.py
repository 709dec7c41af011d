"""What a cookbook is made of: recipes, foods, and the ingredients that join them."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Collate, Lower

from ochaq_web.cookbook.amounts import amount_text

MAX_SERVINGS = 1000
MAX_AMOUNT = Decimal("999.999")


# Names are compared and sorted by ICU's rules, whatever locale the database was made with.
NAMES = "und-x-icu"


def folded_name() -> Lower:
    """A row's name without case, as the unique indexes hold it."""
    return Lower("name")


def folded_value(name: str) -> Lower:
    """A given name, folded in the same way: comparing the two uses the unique index."""
    return Lower(Collate(models.Value(name), NAMES))


class Tag(models.Model):
    """A word that groups recipes: a course, a kitchen, a property."""

    name = models.CharField(max_length=50, db_collation=NAMES)
    slug = models.SlugField(max_length=80, unique=True)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(folded_name(), name="tag_name_unique"),)

    def __str__(self) -> str:
        return self.name


class Food(models.Model):
    """Something one cooks with. Colour and motif say how it looks on a plate."""

    name = models.CharField(max_length=255, db_collation=NAMES)
    category = models.CharField(max_length=30, default="other")
    colour = models.CharField(max_length=7, default="#c9a66b", validators=[RegexValidator(r"^#[0-9a-f]{6}$")])
    motif = models.CharField(max_length=20, default="chunk")

    class Meta:
        default_related_name = "foods"
        ordering = ("name",)
        constraints = (models.UniqueConstraint(folded_name(), name="food_name_unique"),)

    def __str__(self) -> str:
        return self.name


class Recipe(models.Model):
    """A recipe as everybody reads it. Its slug is made once and stays, because people keep addresses."""

    name = models.CharField(max_length=255)
    slug = models.SlugField(max_length=100, unique=True)
    desc = models.TextField(null=True, blank=True)  # noqa: DJ001 - the contract tells "no text" from "empty text"
    instructions = models.TextField(null=True, blank=True)  # noqa: DJ001 - the same
    servings = models.PositiveSmallIntegerField(
        default=4, validators=[MinValueValidator(1), MaxValueValidator(MAX_SERVINGS)]
    )
    tags = models.ManyToManyField(Tag, blank=True)
    foods = models.ManyToManyField(Food, through="Ingredient")
    version = models.PositiveIntegerField(default=1, editable=False)
    # Name, tags and foods in one folded text that the services keep: one index answers the whole search box.
    search_text = models.TextField(default="", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        default_related_name = "recipes"
        ordering = ("-id",)
        indexes = (GinIndex(fields=["search_text"], opclasses=["gin_trgm_ops"], name="recipe_search_trgm"),)
        constraints = (
            models.CheckConstraint(condition=models.Q(servings__range=(1, MAX_SERVINGS)), name="recipe_servings_range"),
            models.CheckConstraint(condition=~models.Q(name=""), name="recipe_has_name"),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"/recipes/{self.slug}/"

    @property
    def steps(self) -> list[str]:
        """The instructions, one step a line."""
        return [line.strip() for line in (self.instructions or "").splitlines() if line.strip()]


class Ingredient(models.Model):
    """How much of a food goes into a recipe, and how it is prepared."""

    recipe = models.ForeignKey(Recipe, on_delete=models.CASCADE)
    food = models.ForeignKey(Food, on_delete=models.PROTECT)
    amount = models.DecimalField(
        max_digits=6, decimal_places=3, null=True, blank=True, validators=[MinValueValidator(Decimal(0))]
    )
    unit_of_measure = models.CharField(max_length=255, blank=True, default="")
    desc = models.TextField(blank=True, default="")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        default_related_name = "ingredients"
        ordering = ("position", "id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(amount__isnull=True) | models.Q(amount__gte=0), name="amount_not_negative"
            ),
        )

    def __str__(self) -> str:
        words = (amount_text(self.amount), self.unit_of_measure, self.food.name)
        return f"{self.recipe}: {' '.join(word for word in words if word)}"
