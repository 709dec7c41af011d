"""Signing in and out with a browser, passwords, and the demo school's people."""

import json
import re

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection
from django.test import Client
from ochaq_web.accounts import seeding
from ochaq_web.accounts.models import Session, TokenFamily, User, short_hash

pytestmark = pytest.mark.django_db
PASSWORD = "salt and pepper 42"
NEW = "cumin and coriander 43"


def sign_in(client, username, password=PASSWORD, **more):
    return client.post("/accounts/login/", {"username": username, "password": password, **more})


def revoked():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT body->'data'->>'session' FROM outbox WHERE type = 'ochaq.accounts.session.revoked.v1' ORDER BY id"
        )
        return [row[0] for row in cursor.fetchall()]


def signed_in(client):
    return client.get("/api/v1/users/me/").status_code == 200


@pytest.mark.parametrize("name", ["chef@example.com", "CHEF@Example.com", "chef"])
def test_a_browser_signs_in_by_address_or_handle(make_user, client, name):
    make_user("manager", email="chef@example.com", handle="chef")
    answer = sign_in(client, name)
    assert answer.status_code == 302
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert signed_in(client)


def test_the_session_row_knows_whose_it_is(make_user, client):
    user = make_user("manager", email="chef@example.com")
    sign_in(client, "chef@example.com")
    assert Session.objects.get().user_id == user.pk


def test_signing_in_changes_the_sessions_key(make_user, client):
    make_user("manager", email="chef@example.com")
    session = client.session
    session["basket"] = "flour"
    session.save()
    sign_in(client, "chef@example.com")
    assert client.session.session_key != session.session_key
    assert client.session["basket"] == "flour"


@pytest.mark.parametrize(
    ("name", "password"), [("chef@example.com", "wrong"), ("nobody", PASSWORD), ("a\x00", PASSWORD), ("", "")]
)
def test_a_failed_sign_in_shows_the_form_again(make_user, client, name, password):
    make_user("manager", email="chef@example.com")
    answer = sign_in(client, name, password)
    assert answer.status_code == 200
    assert not signed_in(client)


def test_after_signing_in_one_comes_back_but_never_to_another_site(make_user, client):
    make_user("manager", email="chef@example.com")
    assert sign_in(client, "chef@example.com", next="/files/").headers["Location"] == "/files/"
    assert sign_in(Client(), "chef@example.com", next="https://evil.example/").headers["Location"] == "/"


def test_signing_out_ends_the_session_and_says_so(browser):
    client = browser("manager")
    key = client.session.session_key
    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/").status_code == 302
    assert not signed_in(client)
    assert not Session.objects.exists()
    assert revoked() == [short_hash(key)]


def test_signing_out_as_a_visitor_changes_nothing(client):
    assert client.post("/accounts/logout/").status_code == 302
    assert revoked() == []


def change_password(client):
    fields = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    return client.post("/accounts/password/", fields)


def test_a_new_password_ends_every_other_session_and_api_sign_in(make_user, browser, api):
    user = make_user("manager")
    here, there, program = browser(user=user), browser(user=user), api(user=user)
    elsewhere = short_hash(there.session.session_key)
    assert change_password(here).status_code == 302
    assert signed_in(here)
    assert not signed_in(there)
    assert program.get("/api/v1/users/me/").status_code == 401
    assert elsewhere in revoked()
    assert TokenFamily.objects.get().session in revoked()


def test_a_weak_new_password_is_refused(browser):
    client = browser("manager")
    fields = {"old_password": PASSWORD, "new_password1": "1234567890", "new_password2": "1234567890"}
    assert client.post("/accounts/password/", fields).status_code == 200
    assert revoked() == []


def test_a_forgotten_password_is_replaced_by_mail(make_user, client):
    make_user("manager", email="chef@example.com")
    assert client.post("/accounts/reset/", {"email": "chef@example.com"}).status_code == 302
    link = re.search(r"http://testserver(/accounts/reset/\S+)", mail.outbox[0].body).group(1)
    form = client.get(link, follow=True)
    fields = {"new_password1": NEW, "new_password2": NEW}
    assert client.post(form.redirect_chain[-1][0], fields).status_code == 302
    assert sign_in(Client(), "chef@example.com", NEW).status_code == 302


def test_a_reset_for_an_unknown_address_looks_the_same(client):
    assert client.post("/accounts/reset/", {"email": "nobody@example.com"}).status_code == 302
    assert mail.outbox == []


def test_passwords_are_hashed_with_the_measured_parameters(make_user):
    assert make_user().password.startswith("argon2$argon2id$v=19$m=47104,t=1,p=1$")


def test_addresses_are_unique_whatever_their_case(make_user):
    make_user(email="chef@example.com")
    with pytest.raises(Exception, match="accounts_user_email"):
        make_user(email="CHEF@example.com")


@pytest.mark.parametrize(
    "where", ["/accounts/login/", "/accounts/reset/", "/accounts/reset/sent/", "/accounts/reset/done/"]
)
def test_visitors_can_open(client, where):
    assert client.get(where).status_code == 200


@pytest.mark.parametrize(
    "where", ["/accounts/profile/", "/accounts/password/", "/accounts/password/done/", "/files/", "/ops/"]
)
def test_visitors_are_sent_to_sign_in(client, where):
    answer = client.get(where)
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/accounts/login/?next={where}"


def test_the_profile_can_be_changed(make_user, browser):
    user = make_user("student")
    fields = {"name": "Ana", "handle": "ana", "language": "en", "time_zone": "Europe/Istanbul"}
    assert browser(user=user).post("/accounts/profile/", fields).status_code == 302
    user = User.objects.get(pk=user.pk)
    assert (user.name, user.handle, user.time_zone) == ("Ana", "ana", "Europe/Istanbul")


@pytest.mark.parametrize(
    "wrong", [{"time_zone": "Mars/Olympus"}, {"language": "xx"}, {"handle": "a@b"}, {"handle": "TAKEN"}]
)
def test_a_wrong_profile_is_refused(make_user, browser, wrong):
    make_user(email="other@example.com", handle="taken")
    fields = {"name": "Ana", "handle": "ana", "language": "en", "time_zone": "UTC", **wrong}
    assert browser("student").post("/accounts/profile/", fields).status_code == 422


def test_the_language_switch_is_remembered(make_user, browser):
    user = make_user("student")
    client = browser(user=user)
    code = settings.LANGUAGES[-1][0]
    assert client.post("/i18n/setlang/", {"language": code, "next": "/ws/"}).headers["Location"] == "/ws/"
    assert client.cookies["language"].value == code
    assert User.objects.get(pk=user.pk).language == code


def test_seeding_twice_makes_one_user_per_role(client):
    seeding.seed(PASSWORD)
    seeding.seed(PASSWORD)
    assert sorted(User.objects.values_list("email", flat=True)) == [
        f"{role}@ochaq.localhost" for role in ("customer", "instructor", "manager", "operator", "student")
    ]
    assert sign_in(client, "manager@ochaq.localhost").status_code == 302
    with connection.cursor() as cursor:
        cursor.execute("SELECT body->'data' FROM outbox WHERE type = 'ochaq.accounts.user.registered.v1'")
        rows = cursor.fetchall()
    assert len(rows) == 5
    assert all("email" in (json.loads(row[0]) if isinstance(row[0], str) else row[0]) for row in rows)


def test_seeding_with_another_password_makes_that_one_good(client):
    seeding.seed(PASSWORD)
    seeding.seed(NEW)
    assert sign_in(client, "student@ochaq.localhost", NEW).status_code == 302
