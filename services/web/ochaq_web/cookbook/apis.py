"""The cookbook's HTTP API.

Reads by visitors and by browsers with a session do not pass through DRF at all: `unless_bearer` answers them from the
rendered bytes, which takes one round trip to Redis and no query. A bearer token has to be checked, so those requests
take DRF's way to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ochaq_web.cookbook import answers, services
from ochaq_web.cookbook.models import Recipe
from ochaq_web.cookbook.replies import guard, reply
from ochaq_web.cookbook.representation import etag, recipe_body
from ochaq_web.cookbook.serializers import FoodPageOutput, RecipeInput, RecipeOutput, RecipePageOutput, RecipePatch
from ochaq_web.core.idempotency import PARAMETER, idempotent
from ochaq_web.core.policy import Act, permission

Door = Callable[..., HttpResponse]

LIST = [OpenApiParameter("limit", int), OpenApiParameter("cursor", str)]
FILTERS = [OpenApiParameter(name, str) for name in ("q", "tag", "food")]
CHANGING = [OpenApiParameter("If-Match", str, OpenApiParameter.HEADER), PARAMETER]


def unless_bearer(read: Door, view: Door) -> Door:
    """`read` for safe requests without `Authorization`, `view` for all others."""

    @wraps(view)
    def door(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        quick = request.method in {"GET", "HEAD"} and "Authorization" not in request.headers
        return (read if quick else view)(request, **kwargs)

    return door


def recipe_list(request: HttpRequest) -> HttpResponse:
    return reply(request, answers.recipe_list(answers.question(request.path, request.GET)))


def recipe_detail(request: HttpRequest, recipe_id: int) -> HttpResponse:
    return reply(request, answers.recipe_detail(recipe_id))


def food_list(request: HttpRequest) -> HttpResponse:
    return reply(request, answers.food_list(answers.question(request.path, request.GET, names=("q",))))


class CookbookView(APIView):
    permission_classes = (permission(read=Act.RECIPES_READ, write=Act.RECIPES_WRITE),)


class Recipes(CookbookView):
    @extend_schema(operation_id="recipes_list", parameters=[*LIST, *FILTERS], responses=RecipePageOutput)
    def get(self, request: Request) -> HttpResponse:
        return recipe_list(request._request)

    @extend_schema(
        operation_id="recipes_create", parameters=[PARAMETER], request=RecipeInput, responses={201: RecipeOutput}
    )
    @idempotent
    def post(self, request: Request) -> HttpResponse:
        recipe = services.recipe_publish(**_input(request, RecipeInput))
        return _saved(recipe, 201, {"Location": f"/api/v1/recipes/{recipe.id}/"})


class RecipeById(CookbookView):
    @extend_schema(operation_id="recipes_read", responses=RecipeOutput)
    def get(self, request: Request, recipe_id: int) -> HttpResponse:
        return recipe_detail(request._request, recipe_id)

    @extend_schema(operation_id="recipes_replace", parameters=CHANGING, request=RecipeInput, responses=RecipeOutput)
    @idempotent
    def put(self, request: Request, recipe_id: int) -> HttpResponse:
        return _change(request, recipe_id, RecipeInput)

    @extend_schema(operation_id="recipes_change", parameters=CHANGING, request=RecipePatch, responses=RecipeOutput)
    @idempotent
    def patch(self, request: Request, recipe_id: int) -> HttpResponse:
        return _change(request, recipe_id, RecipePatch)

    @extend_schema(operation_id="recipes_remove", parameters=CHANGING, responses={204: None})
    @idempotent
    def delete(self, request: Request, recipe_id: int) -> HttpResponse:
        services.recipe_remove(recipe_id=recipe_id, guard=guard(request._request))
        return Response(status=204)


class Foods(CookbookView):
    http_method_names = ("get", "head", "options")

    @extend_schema(operation_id="foods_list", parameters=[*LIST, OpenApiParameter("q", str)], responses=FoodPageOutput)
    def get(self, request: Request) -> HttpResponse:
        return food_list(request._request)


def _change(request: Request, recipe_id: int, form: type[RecipeInput]) -> HttpResponse:
    recipe = services.recipe_change(recipe_id=recipe_id, changes=_input(request, form), guard=guard(request._request))
    return _saved(recipe, 200)


def _input(request: Request, form: type[RecipeInput]) -> dict[str, Any]:
    serializer = form(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.values()


def _saved(recipe: Recipe, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(
        recipe_body(recipe),
        status=status,
        headers={**(headers or {}), "ETag": etag(recipe), "Cache-Control": "no-store"},
    )
