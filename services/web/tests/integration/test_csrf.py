"""Requests with a browser's session need the page's token."""

import pytest
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.test import Client
from django.urls import path
from ochaq_web.config.urls import *  # noqa: F403
from ochaq_web.core.policy import Act, permission
from rest_framework.response import Response
from rest_framework.views import APIView


class Thing(APIView):
    permission_classes = (permission(read=Act.PROFILE_USE),)

    def post(self, request):
        return Response({"user": str(request.user.pk)}, status=201)


urlpatterns = [
    path("api/v1/things/", Thing.as_view()),
    path("token/", lambda request: HttpResponse(get_token(request))),
    *urlpatterns,  # noqa: F405
]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def page(make_user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("manager"))
    client.token = client.get("/token/").content.decode()
    return client


def send(client, **headers):
    return client.post("/api/v1/things/", {}, content_type="application/json", headers=headers)


def test_with_the_pages_token_it_works(page):
    assert send(page, **{"X-CSRFToken": page.token}).status_code == 201


def test_without_the_token_it_is_refused(page):
    answer = send(page)
    assert answer.status_code == 403
    assert answer.json()["code"] == "auth.csrf"


def test_with_the_token_but_from_another_site_it_is_refused(page):
    assert send(page, **{"X-CSRFToken": page.token, "Origin": "http://evil.example"}).status_code == 403


def test_a_form_without_the_token_is_refused_as_a_page(page):
    answer = page.post("/accounts/logout/", {}, headers={"Accept": "text/html"})
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")


def test_access_tokens_need_none(api):
    assert api("manager").post("/api/v1/things/", {}, format="json").status_code == 201


def test_the_csrf_cookie_is_out_of_the_scripts_reach(page):
    cookie = page.cookies["csrftoken"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
