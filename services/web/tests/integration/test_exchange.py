"""The gateway's question."""

import time

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from ochaq_shared.identity import Verifier
from ochaq_web.accounts.models import Session, short_hash
from ochaq_web.config.environment import environment

pytestmark = pytest.mark.django_db
WHERE = "/internal/v1/identity"


def ask(client, audience="files", method="GET", **headers):
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return client.get(
        WHERE,
        HTTP_X_OCHAQ_AUDIENCE=audience,
        HTTP_X_ORIGINAL_METHOD=method,
        HTTP_X_ORIGINAL_URI="/api/v1/files/",
        **named,
    )


def identity_in(answer, audience="files"):
    assert answer.status_code == 204, answer.content
    return Verifier(environment().jwks_file, audience).verify(answer.headers["X-Ochaq-Identity"])


def test_a_session_becomes_a_token_for_that_service(make_user, browser):
    user = make_user("manager", "operator")
    client = browser(user=user)
    found = identity_in(ask(client, "search"), "search")
    assert (found.subject, found.roles, found.issuer) == (str(user.pk), {"manager", "operator"}, "web")
    assert found.session == short_hash(client.session.session_key)


def test_an_access_token_becomes_a_token_for_that_service(make_user, api):
    user = make_user("student")
    assert identity_in(ask(api(user=user), "realtime"), "realtime").subject == str(user.pk)


def test_visitors_get_no_header(browser):
    answer = ask(browser())
    assert answer.status_code == 204
    assert "X-Ochaq-Identity" not in answer.headers


def test_an_unknown_session_is_a_visitor(browser):
    client = browser()
    client.cookies[settings.SESSION_COOKIE_NAME] = "0" * 32
    answer = ask(client)
    assert answer.status_code == 204
    assert "X-Ochaq-Identity" not in answer.headers


def test_a_session_that_only_the_cache_still_knows_is_a_visitor(browser):
    client = browser("manager")
    assert ask(client).has_header("X-Ochaq-Identity")
    Session.objects.all().delete()
    assert not ask(client).has_header("X-Ochaq-Identity")


def test_a_user_who_was_switched_off_is_a_visitor_at_once(make_user, browser):
    user = make_user("manager")
    client = browser(user=user)
    user.is_active = False
    user.save()
    assert not ask(client).has_header("X-Ochaq-Identity")


def test_a_wrong_token_is_refused_even_beside_a_good_session(browser):
    assert ask(browser("manager"), authorization="Bearer x.y.z").status_code == 401


@pytest.mark.parametrize("audience", ["", "web", "ochaq-api", "files,search", "worker"])
def test_no_token_is_made_for_anybody_else(browser, audience):
    assert ask(browser("manager"), audience).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://testserver"},
        {"referer": "http://testserver/files/"},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-site", "origin": "http://testserver"},
    ],
)
def test_unsafe_requests_of_our_own_pages_pass(browser, headers):
    assert ask(browser("manager"), method="POST", **headers).status_code == 204


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://testserver.evil.example"},
        {"origin": "https://testserver"},
        {"origin": "http://evil.example", "referer": "http://testserver/"},
        {"referer": "http://evil.example/http://testserver/"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post"])
def test_unsafe_requests_of_other_sites_with_a_cookie_are_refused(browser, method, headers):
    answer = ask(browser("manager"), method=method, **headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "auth.cross_site"


def test_access_tokens_need_no_origin_because_no_browser_sends_them_by_itself(api):
    assert ask(api("manager"), method="POST").status_code == 204


def test_a_cookie_beside_an_access_token_does_not_count(make_user, api, browser):
    user = make_user("manager")
    client = api(user=user)
    client.cookies = browser("student").cookies
    assert identity_in(ask(client, method="POST")).subject == str(user.pk)


@pytest.mark.alone
def test_the_question_costs_one_query_and_little_time(browser):
    client = browser("manager")
    ask(client)
    with CaptureQueriesContext(connection) as queries:
        ask(client)
    assert len(queries) == 1, [query["sql"] for query in queries]
    times = []
    for _ in range(50):
        began = time.perf_counter()
        ask(client)
        times.append(time.perf_counter() - began)
    # The middle of fifty, with the test client's own share in it; a busy machine may stretch single ones.
    assert sorted(times)[25] < 0.015
