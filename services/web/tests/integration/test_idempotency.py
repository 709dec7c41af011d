"""Idempotency-Key on API views that write."""

import threading
import uuid

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.urls import get_resolver, path
from ochaq_shared.problems import Problem
from ochaq_web.config.urls import *  # noqa: F403
from ochaq_web.core.idempotency import idempotent
from ochaq_web.core.policy import Act, permission
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

inside, go_on = threading.Event(), threading.Event()


class In(serializers.Serializer):
    name = serializers.CharField(max_length=20)


class Groups(APIView):
    """Something that creates a row."""

    permission_classes = (permission(read=Act.PROFILE_USE),)

    @idempotent
    def post(self, request):
        wanted = In(data=request.data)
        wanted.is_valid(raise_exception=True)
        name = wanted.validated_data["name"]
        if name == "slow":
            inside.set()
            go_on.wait(10)
        made = Group.objects.create(name=name)
        if name == "broken":
            raise ZeroDivisionError
        if name == "refused":
            raise Problem("conflict")
        return Response({"id": made.pk, "name": name}, status=201, headers={"Location": f"/groups/{made.pk}"})


urlpatterns = [path("api/v1/groups/", Groups.as_view()), *urlpatterns]  # noqa: F405
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def send(client, key, name="bakers"):
    return client.post("/api/v1/groups/", {"name": name}, format="json", HTTP_IDEMPOTENCY_KEY=key)


def test_the_first_answer_is_given_again(api):
    client, key = api("manager"), str(uuid.uuid4())
    first, second = send(client, key), send(client, key)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["Content-Type"] == "application/json"
    assert Group.objects.filter(name="bakers").count() == 1


def test_another_body_with_the_same_key_is_refused(api):
    client, key = api("manager"), str(uuid.uuid4())
    send(client, key)
    answer = send(client, key, "grillers")
    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency.mismatch"
    assert not Group.objects.filter(name="grillers").exists()


def test_keys_of_two_users_are_two_keys(api, make_user):
    key = str(uuid.uuid4())
    send(api(user=make_user("manager", email="a@example.com")), key)
    answer = send(api(user=make_user("manager", email="b@example.com")), key, "grillers")
    assert answer.status_code == 201


@pytest.mark.parametrize(("name", "status"), [("broken", 500), ("refused", 409), ("", 422)])
def test_a_failure_is_not_kept_and_leaves_nothing_behind(api, name, status):
    client, key = api("manager"), str(uuid.uuid4())
    client.raise_request_exception = False
    assert send(client, key, name).status_code == status
    assert not Group.objects.filter(name=name).exists()
    assert send(client, key, "bakers").status_code == 201


def collections(patterns, prefix=""):
    """The views of the addresses under /api/v1/ that name no single thing."""
    for entry in patterns:
        route = prefix + str(entry.pattern)
        if hasattr(entry, "url_patterns"):
            yield from collections(entry.url_patterns, route)
        elif route.startswith("api/v1/") and "<" not in route:
            yield route, entry.callback.cls


def test_every_address_that_creates_honours_the_key():
    keyed = idempotent(lambda: None).__code__
    creating = {route: view for route, view in collections(get_resolver().url_patterns) if hasattr(view, "post")}
    assert {"api/v1/recipes/", "api/v1/students/", "api/v1/jobs/"} <= set(creating)
    assert [route for route, view in creating.items() if view.post.__code__ is not keyed] == []


def test_without_a_key_every_request_counts(api):
    client = api("manager")
    for name in ("one", "two"):
        assert client.post("/api/v1/groups/", {"name": name}, format="json").status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_cannot_be_kept_is_invalid(api, key):
    assert send(api("manager"), key).status_code == 422


def test_visitors_have_no_keys():
    assert send(APIClient(), "k").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_the_same_key_while_the_first_request_runs_is_a_conflict(api):
    client, key = api("manager"), str(uuid.uuid4())
    inside.clear()
    go_on.clear()
    answers = []

    def first():
        answers.append(send(client, key, "slow"))
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    meanwhile = send(client, key, "slow")
    go_on.set()
    thread.join(10)
    assert meanwhile.status_code == 409
    assert meanwhile.json()["code"] == "idempotency.in_progress"
    assert "Retry-After" in meanwhile.headers
    assert answers[0].status_code == 201
    assert send(client, key, "slow").json() == answers[0].json()
    assert Group.objects.filter(name="slow").count() == 1


DOORS = {
    "/api/v1/students/": (
        {"first_name": "Ana", "last_name": "Diaz", "email": "ana@example.com", "age": 20},
        [{"age": 21}, {"age": 22}],
    ),
    "/api/v1/recipes/": (
        {"name": "Pilaf", "ingredients": [{"food": {"name": "rice"}, "amount": "0.250", "unit_of_measure": "kg"}]},
        [{"servings": 5}, {"servings": 6}],
    ),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("method", ["patch", "put"])
def test_a_change_that_comes_once_more_undoes_nothing_that_was_changed_since(api, door, method):
    client, (body, (early, late)) = api("manager"), DOORS[door]
    made = client.post(door, body, format="json").json()
    thing = f"{door}{made['id']}/"
    change = getattr(client, method)
    early, late = ({**({} if method == "patch" else body), **each} for each in (early, late))
    first = change(thing, early, format="json", HTTP_IDEMPOTENCY_KEY="early")
    after = change(thing, late, format="json", HTTP_IDEMPOTENCY_KEY="late").json()
    # The first one again: given up by its sender, and carried out at last by a process that had stood still.
    again = change(thing, early, format="json", HTTP_IDEMPOTENCY_KEY="early")
    assert again.status_code == 200 and again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert client.get(thing).json() == after


@pytest.mark.parametrize("door", DOORS)
def test_a_removal_that_comes_once_more_is_answered_as_the_first(api, door):
    client, (body, _) = api("manager"), DOORS[door]
    thing = f"{door}{client.post(door, body, format='json').json()['id']}/"
    first = client.delete(thing, HTTP_IDEMPOTENCY_KEY="gone")
    again = client.delete(thing, HTTP_IDEMPOTENCY_KEY="gone")
    assert (first.status_code, again.status_code, first.content, again.content) == (204, 204, b"", b"")
    assert client.delete(thing, HTTP_IDEMPOTENCY_KEY="other").status_code == 404
