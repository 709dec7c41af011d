"""Access and refresh tokens."""

import base64
import json
import time

import jwt
import pytest
from django.db import connection
from ochaq_shared.identity import Signer, load_private_key
from ochaq_shared.identity.keys import load_public_keys
from ochaq_web.accounts.models import RefreshToken, TokenFamily
from ochaq_web.config.environment import environment
from ochaq_web.core.identity import ACCESS_AUDIENCE, ACCESS_TYPE
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db
PASSWORD = "salt and pepper 42"
ME = "/api/v1/users/me/"


def sign_in(**fields):
    return APIClient().post("/api/token/", fields, format="json")


def refresh(token):
    return APIClient().post("/api/token/refresh/", {"refresh": token}, format="json")


def me(access):
    return APIClient().get(ME, HTTP_AUTHORIZATION=f"Bearer {access}")


def facts(kind):
    with connection.cursor() as cursor:
        cursor.execute("SELECT body->'data' FROM outbox WHERE type = %s ORDER BY id", (f"ochaq.{kind}.v1",))
        return [json.loads(row[0]) if isinstance(row[0], str) else row[0] for row in cursor.fetchall()]


def is_problem(answer, status, code):
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == code
    return True


@pytest.mark.parametrize(
    "names",
    [
        {"username": "CHEF@example.com"},
        {"email": "chef@example.com"},
        {"username": "Chef.One"},
        {"username": "chef.one"},
    ],
)
def test_signing_in_works_by_address_and_handle_in_any_case(make_user, names):
    make_user("manager", email="chef@example.com", handle="chef.one")
    answer = sign_in(**names, password=PASSWORD)
    assert answer.status_code == 200
    assert me(answer.json()["access"]).json()["email"] == "chef@example.com"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "chef@example.com", "password": "wrong"},
        {"username": "nobody@example.com", "password": PASSWORD},
        {"username": "a\x01", "password": PASSWORD},
    ],
)
def test_wrong_credentials_are_refused_alike(make_user, fields):
    make_user("manager", email="chef@example.com")
    assert is_problem(sign_in(**fields), 401, "auth.invalid_credentials")


@pytest.mark.alone
def test_an_unknown_name_costs_as_much_time_as_a_wrong_password(make_user):
    make_user("manager", email="chef@example.com")

    def fastest(name):
        times = []
        for _ in range(5):
            began = time.perf_counter()
            sign_in(username=name, password="wrong")
            times.append(time.perf_counter() - began)
        return min(times)

    known, unknown = fastest("chef@example.com"), fastest("nobody@example.com")
    assert 0.5 < unknown / known < 2


def test_missing_fields_are_a_problem_with_pointers():
    answer = sign_in(username="chef@example.com")
    assert is_problem(answer, 422, "request.invalid")
    assert answer.json()["errors"] == [
        {"pointer": "/password", "code": "required", "detail": "This field is required."}
    ]
    assert is_problem(sign_in(password="x"), 422, "request.invalid")


def test_a_refresh_token_works_once_and_gives_a_new_pair(make_user):
    make_user("manager", email="chef@example.com")
    first = sign_in(email="chef@example.com", password=PASSWORD).json()
    second = refresh(first["refresh"])
    assert second.status_code == 200
    assert second.json()["refresh"] != first["refresh"]
    assert me(second.json()["access"]).status_code == 200


def test_a_refresh_token_that_comes_again_ends_its_whole_family(make_user):
    make_user("manager", email="chef@example.com")
    first = sign_in(email="chef@example.com", password=PASSWORD).json()
    second = refresh(first["refresh"]).json()
    assert is_problem(refresh(first["refresh"]), 401, "auth.invalid_token")
    assert is_problem(refresh(second["refresh"]), 401, "auth.invalid_token")
    assert is_problem(me(second["access"]), 401, "auth.invalid_token")
    family = TokenFamily.objects.get()
    assert family.revoked_because == "reuse"
    assert facts("accounts.session.revoked") == [{"user_id": str(family.user_id), "session": family.session}]


def test_another_sign_in_survives_the_end_of_a_family(make_user):
    make_user("manager", email="chef@example.com")
    first = sign_in(email="chef@example.com", password=PASSWORD).json()
    other = sign_in(email="chef@example.com", password=PASSWORD).json()
    refresh(first["refresh"])
    refresh(first["refresh"])
    assert refresh(other["refresh"]).status_code == 200


def test_refresh_tokens_are_kept_as_hashes_only(make_user):
    make_user("manager", email="chef@example.com")
    token = sign_in(email="chef@example.com", password=PASSWORD).json()["refresh"]
    assert token.encode() not in bytes(RefreshToken.objects.get().digest)


@pytest.mark.parametrize("token", ["", "x", "ü" * 20, "\x00", "a" * 5000, None, 5, ["a"]])
def test_nonsense_as_a_refresh_token_is_refused(token):
    answer = refresh(token)
    assert answer.status_code in {401, 422}
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_user_who_was_switched_off_is_out_at_once(make_user, api):
    user = make_user("manager")
    client = api(user=user)
    assert client.get(ME).status_code == 200
    user.is_active = False
    user.save()
    assert is_problem(client.get(ME), 401, "auth.invalid_token")


def test_roles_come_from_the_database_and_not_from_the_token(make_user, api):
    user = make_user("manager")
    client = api(user=user)
    user.groups.clear()
    assert client.get(ME).json()["roles"] == []


def claims(user, **changes):
    now = int(time.time())
    family = TokenFamily.objects.filter(user=user).first()
    values = {"iss": "web", "aud": ACCESS_AUDIENCE, "sub": str(user.pk), "roles": ["manager"], "jti": "1"}
    return {**values, "iat": now, "nbf": now, "exp": now + 60, "sid": family.session if family else "x", **changes}


HEADERS = {"kid": "web-1", "typ": ACCESS_TYPE}


def test_a_token_signed_as_we_do_is_the_control_of_the_forgeries(make_user, api):
    user = make_user("manager")
    api(user=user)
    key = load_private_key(environment().signing_key_file)
    assert me(jwt.encode(claims(user), key, "EdDSA", HEADERS)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({"aud": "files"}, {}),
        ({"aud": [ACCESS_AUDIENCE, "files"]}, {}),
        ({"exp": 1}, {}),
        ({"iss": "worker"}, {}),
        ({"sub": "service:web"}, {}),
        ({"sub": "not-a-uuid"}, {}),
        ({"sid": "another"}, {}),
        ({}, {"typ": "ochaq-id+jwt"}),
        ({}, {"typ": "JWT"}),
        ({}, {"kid": "worker-1"}),
        ({}, {"kid": "nobody-1"}),
        ({}, {"jku": "http://evil.example/keys"}),
    ],
)
def test_forged_tokens_are_refused(make_user, api, changes, headers):
    user = make_user("manager")
    api(user=user)
    key = load_private_key(environment().signing_key_file)
    token = jwt.encode(claims(user, **changes), key, "EdDSA", {**HEADERS, **headers})
    answer = me(token)
    assert is_problem(answer, 401, "auth.invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_tokens_of_other_algorithms_are_refused(make_user, api):
    user = make_user("manager")
    api(user=user)
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()  # noqa: E731
    unsigned = f"{part({**HEADERS, 'alg': 'none'})}.{part(claims(user))}."
    public = load_public_keys(environment().jwks_file)["web-1"].public_bytes_raw()
    symmetric = jwt.encode(claims(user), public, "HS256", HEADERS)
    for token in (unsigned, symmetric, "x.y.z", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."):
        assert is_problem(me(token), 401, "auth.invalid_token")


def test_another_services_key_cannot_make_user_tokens(make_user, api):
    user = make_user("manager")
    api(user=user)
    key_file = environment().signing_key_file.parent / "worker.pem"
    token = Signer(key_file, "worker").sign(ACCESS_AUDIENCE, str(user.pk), roles=["manager"], typ=ACCESS_TYPE)
    assert is_problem(me(token), 401, "auth.invalid_token")


def test_an_identity_token_is_no_access_token(make_user, api):
    user = make_user("manager")
    api(user=user)
    token = Signer(environment().signing_key_file, "web").sign(ACCESS_AUDIENCE, str(user.pk), roles=["manager"])
    assert is_problem(me(token), 401, "auth.invalid_token")


def test_without_a_token_the_answer_says_how_to_sign_in():
    answer = APIClient().get(ME)
    assert is_problem(answer, 401, "auth.required")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_another_scheme_is_refused_rather_than_ignored():
    assert is_problem(APIClient().get(ME, HTTP_AUTHORIZATION="Basic YTpi"), 401, "auth.invalid_token")
