"""Everything that can go wrong in a view becomes a problem, and 5xx say nothing about why."""

import psycopg
import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DataError, IntegrityError, OperationalError, connection
from django.http import Http404, HttpResponse
from django.test import Client
from django.urls import path
from ochaq_shared.postgres import outage
from ochaq_shared.problems import FieldError, Problem
from ochaq_web.config.urls import *  # noqa: F403 - the real addresses, plus those below
from ochaq_web.core.authentication import InternalView
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

SECRET = "the secret of line 42"
RAISED = {
    "problem": lambda: Problem("conflict", "Not now.", errors=[FieldError("/a", "b", "c")], retry_after=7),
    "missing": Http404,
    "denied": PermissionDenied,
    "suspicious": lambda: SuspiciousOperation(SECRET),
    "unique": lambda: IntegrityError(SECRET),
    "data": lambda: DataError(SECRET),
    "away": lambda: OperationalError(SECRET),
    "bug": lambda: ZeroDivisionError(SECRET),
}
STATUS = {
    "problem": 409,
    "missing": 404,
    "denied": 403,
    "suspicious": 400,
    "unique": 409,
    "data": 422,
    "away": 503,
    "bug": 500,
}


class In(serializers.Serializer):
    name = serializers.CharField(max_length=5)
    ages = serializers.ListField(child=serializers.IntegerField(min_value=0), required=False)


class Raising(APIView):
    permission_classes = (AllowAny,)

    def get(self, request, what):
        raise RAISED[what]()

    def post(self, request, what):
        wanted = In(data=request.data)
        wanted.is_valid(raise_exception=True)
        return Response(wanted.validated_data)


class Unguarded(APIView):
    def get(self, request):
        return Response({})


class Internal(InternalView):
    def get(self, request):
        return Response({"service": request.user.name})


def page(request, what):
    raise RAISED[what]()


def in_the_database(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text", (request.GET["q"],))
    return HttpResponse("ok")


urlpatterns = [
    path("api/v1/raise/<str:what>/", Raising.as_view()),
    path("api/v1/unguarded/", Unguarded.as_view()),
    path("internal/v1/whoami", Internal.as_view()),
    path("page/<str:what>/", page),
    path("database/", in_the_database),
    *urlpatterns,  # noqa: F405
]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def is_problem(answer, status):
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["code"]
    assert body["title"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert SECRET not in answer.content.decode()
    return body


@pytest.mark.parametrize("what", RAISED)
def test_what_an_api_view_raises_is_a_problem(what):
    is_problem(APIClient(raise_request_exception=False).get(f"/api/v1/raise/{what}/"), STATUS[what])


@pytest.mark.parametrize("what", RAISED)
def test_what_a_page_raises_is_a_page(what):
    answer = Client(raise_request_exception=False).get(f"/page/{what}/", HTTP_ACCEPT="text/html")
    assert answer.status_code == STATUS[what]
    assert answer.headers["Content-Type"].startswith("text/html")
    assert SECRET not in answer.content.decode()
    assert answer.headers["X-Request-Id"] in answer.content.decode()


@pytest.mark.parametrize("what", RAISED)
def test_a_page_answers_json_to_who_asked_for_json(what):
    client = Client(raise_request_exception=False)
    is_problem(client.get(f"/page/{what}/", HTTP_ACCEPT="application/json"), STATUS[what])


def test_a_problem_keeps_its_details_and_its_headers():
    answer = APIClient().get("/api/v1/raise/problem/")
    body = is_problem(answer, 409)
    assert body["detail"] == "Not now."
    assert body["errors"] == [{"pointer": "/a", "code": "b", "detail": "c"}]
    assert body["type"].endswith("/problems/conflict")
    assert answer.headers["Retry-After"] == "7"


def test_a_server_that_is_away_says_when_to_come_back():
    assert "Retry-After" in APIClient().get("/api/v1/raise/away/").headers


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b'{"name": ', "application/json", 400),
        (b"\xff\xfe{}", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"name": "a", "ages": [1e400]}', "application/json", 422),
        (rb'{"name": "a\u0000"}', "application/json", 422),
        (b'{"name": ""}', "application/json", 422),
        (b'{"name": "too long a name"}', "application/json", 422),
        (b'{"name": "a", "ages": [1, -1]}', "application/json", 422),
        (b"[]", "application/json", 422),
        (b"5", "application/json", 422),
        (b"null", "application/json", 422),
        (b"", "application/json", 422),
        (b"name=a", "application/x-www-form-urlencoded", 415),
        (b"name=a", "text/plain", 415),
        (b'"' + b"a" * 2_000_000 + b'"', "application/json", 413),
    ],
)
def test_bad_bodies_are_refused(body, media_type, status):
    is_problem(APIClient().post("/api/v1/raise/x/", body, content_type=media_type), status)


def test_errors_point_into_the_body():
    answer = APIClient().post("/api/v1/raise/x/", {"name": "a", "ages": [1, -1]}, format="json")
    assert [error["pointer"] for error in is_problem(answer, 422)["errors"]] == ["/ages/1"]


def test_another_method_is_refused_with_those_that_are_allowed():
    answer = APIClient().put("/api/v1/raise/x/", {}, format="json")
    is_problem(answer, 405)
    assert answer.headers["Allow"] == "GET, POST, HEAD, OPTIONS"


@pytest.mark.parametrize("where", ["/api/v1/nothing/", "/api/nothing", "/internal/v1/nothing", "/api/v1/users/me/x"])
def test_unknown_addresses_of_the_api_are_problems_whatever_is_accepted(where):
    is_problem(APIClient().get(where, HTTP_ACCEPT="text/html"), 404)


def test_the_api_speaks_json_whatever_is_accepted():
    is_problem(APIClient().get("/api/v1/users/me/", HTTP_ACCEPT="text/html"), 401)
    is_problem(APIClient().get("/api/v1/users/me/", HTTP_ACCEPT="image/png"), 401)


def test_an_unknown_page_is_a_page():
    answer = Client().get("/nothing/", HTTP_ACCEPT="text/html,*/*;q=0.8")
    assert answer.status_code == 404
    assert b"<html" in answer.content


def test_a_nul_in_an_address_is_invalid_rather_than_an_error():
    is_problem(Client().get("/database/", {"q": "a\x00"}, HTTP_ACCEPT="application/json"), 422)


def test_a_host_that_is_not_ours_is_refused():
    is_problem(Client().get("/api/v1/users/me/", HTTP_HOST="evil.example", HTTP_ACCEPT="application/json"), 400)


def test_a_view_that_says_nothing_is_closed(api):
    is_problem(api().get("/api/v1/unguarded/"), 401)
    is_problem(api("manager").get("/api/v1/unguarded/"), 403)


def test_internal_views_answer_services_only(api, service_client):
    assert service_client("worker").get("/internal/v1/whoami").json() == {"service": "worker"}
    is_problem(api().get("/internal/v1/whoami"), 401)
    is_problem(api("manager").get("/internal/v1/whoami"), 401)


def test_a_user_is_no_service_even_with_a_token_for_web(make_user):
    from ochaq_web.core.identity import signer

    token = signer().sign("web", str(make_user("manager").pk), roles=["manager"])
    is_problem(APIClient().get("/internal/v1/whoami", HTTP_AUTHORIZATION=f"Bearer {token}"), 403)


def test_the_request_id_of_the_gateway_is_kept_and_nonsense_is_replaced():
    good = APIClient().get("/api/v1/users/me/", HTTP_X_REQUEST_ID="0123456789abcdef")
    assert good.headers["X-Request-Id"] == "0123456789abcdef"
    bad = APIClient().get("/api/v1/users/me/", HTTP_X_REQUEST_ID="<script>")
    assert bad.headers["X-Request-Id"] != "<script>"


def test_the_page_behind_a_problems_type_explains_it(client):
    assert client.get("/problems/auth.cross_site", HTTP_ACCEPT="text/html").status_code == 200
    assert client.get("/problems/not_found", HTTP_ACCEPT="application/json").json()["status"] == 404
    assert client.get("/problems/nothing").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_dead_database_is_a_503_with_a_page(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "PORT", 9)
    connection.close()
    try:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect("postgresql://127.0.0.1:9/none", connect_timeout=1)
        answer = Client(raise_request_exception=False).get("/database/", {"q": "a"}, HTTP_ACCEPT="text/html")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
    finally:
        monkeypatch.undo()
        connection.close()
        outage.answered()  # the whole process remembered that this port was dead
