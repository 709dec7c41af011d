"""Addresses of this app."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from ochaq_web.cookbook import apis
from ochaq_web.cookbook import pages as views

pages: list[URLPattern | URLResolver] = [
    path("", views.recipe_list, name="recipe-list"),
    path("recipes/<slug:slug>/", views.recipe_detail, name="recipe-detail"),
    path("recipes/<slug:slug>/plate.svg", views.plate, name="recipe-plate"),
]
api: list[URLPattern | URLResolver] = [
    path("recipes/", apis.unless_bearer(apis.recipe_list, apis.Recipes.as_view())),
    path("recipes/<int:recipe_id>/", apis.unless_bearer(apis.recipe_detail, apis.RecipeById.as_view())),
    path("foods/", apis.unless_bearer(apis.food_list, apis.Foods.as_view())),
]
internal: list[URLPattern | URLResolver] = []
