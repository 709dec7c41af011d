"""The cookbook in Django's admin.

The admin writes rows by itself; each hook here then lets the services version the recipe and tell about it, inside the
transaction that the admin has around every save.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ochaq_web.cookbook import services
from ochaq_web.cookbook.models import Food, Ingredient, Recipe, Tag
from ochaq_web.cookbook.words import slug_of


class IngredientInline(admin.TabularInline):
    model = Ingredient
    fields = ("position", "food", "amount", "unit_of_measure", "desc")
    autocomplete_fields = ("food",)
    extra = 1


@admin.register(Recipe)
class RecipeAdmin(admin.ModelAdmin):
    list_display = ("name", "servings", "version", "updated_at")
    list_filter = ("tags", "updated_at")
    search_fields = ("name", "search_text")
    autocomplete_fields = ("tags",)
    fields = ("name", "slug", "desc", "instructions", "servings", "tags", "version", "updated_at")
    readonly_fields = ("slug", "version", "updated_at")
    inlines = (IngredientInline,)
    list_per_page = 50
    actions = ("redraw",)

    def save_model(self, request: HttpRequest, obj: Recipe, form: ModelForm, change: bool) -> None:
        if change:
            # Locked before the first write, like in every service, so that versions leave in order.
            Recipe.objects.select_for_update().get(pk=obj.pk)
            obj.save(update_fields=[name for name in form.changed_data if name != "tags"] or ["updated_at"])
        else:
            obj.slug = services.slug_free(obj.name)
            obj.save()

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change:
            services.recipe_rows_changed(recipe_id=form.instance.pk)
        else:
            services.recipe_rows_published(recipe=form.instance)

    def delete_model(self, request: HttpRequest, obj: Recipe) -> None:
        services.recipe_remove(recipe_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Recipe]) -> None:
        for recipe_id in sorted(queryset.values_list("pk", flat=True)):
            services.recipe_remove(recipe_id=recipe_id)

    @admin.action(description=_("Publish again (new version, fresh pages and plates)"), permissions=["change"])
    def redraw(self, request: HttpRequest, queryset: QuerySet[Recipe]) -> None:
        for recipe_id in sorted(queryset.values_list("pk", flat=True)):
            services.recipe_rows_changed(recipe_id=recipe_id)
        self.message_user(request, _("Done."))


class Counted(admin.ModelAdmin):
    """Rows with the number of recipes that use them."""

    @admin.display(description=_("recipes"), ordering="used")
    def recipes_count(self, obj: Any) -> int:
        return int(obj.used)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(used=Count("recipes", distinct=True))

    def _tell(self, request: HttpRequest, count: int) -> None:
        self.message_user(
            request, ngettext("%d recipe has a new version.", "%d recipes have a new version.", count) % count
        )


@admin.register(Food)
class FoodAdmin(Counted):
    list_display = ("name", "category", "colour", "motif", "recipes_count")
    list_filter = ("category", "motif")
    search_fields = ("name",)
    list_per_page = 100

    def save_model(self, request: HttpRequest, obj: Food, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and form.changed_data:
            self._tell(request, services.foods_changed(foods=[obj]))

    def get_actions(self, request: HttpRequest) -> Any:
        # A food in use cannot be deleted, and one is deleted on its own page, where that is said.
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


@admin.register(Tag)
class TagAdmin(Counted):
    list_display = ("name", "slug", "recipes_count")
    search_fields = ("name",)
    readonly_fields = ("slug",)

    def save_model(self, request: HttpRequest, obj: Tag, form: ModelForm, change: bool) -> None:
        obj.slug = obj.slug or slug_of(obj.name)
        super().save_model(request, obj, form, change)
        if change and form.changed_data:
            self._tell(request, services.tags_changed(tags=[obj]))

    def delete_model(self, request: HttpRequest, obj: Tag) -> None:
        services.tag_remove(tag=obj)

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions
