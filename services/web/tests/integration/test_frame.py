"""The pages that belong to no single app, and the frame around all of them."""

import pytest

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("where", "to"),
    [
        ("/core/upload/", "/files/"),
        ("/core/download/", "/files/"),
        ("/django-rq/", "/ops/"),
        ("/django-rq/queues/0/", "/ops/"),
    ],
)
def test_addresses_of_the_lessons_lead_to_their_place(client, where, to):
    answer = client.get(where)
    assert answer.status_code == 301
    assert answer.headers["Location"] == to


@pytest.mark.parametrize("where", ["/ws/", "/swagger/", "/redoc/"])
def test_anybody_can_open(client, where):
    assert client.get(where).status_code == 200


def test_the_navigation_shows_what_the_role_may_open(browser):
    def places(client):
        return [str(item["url"]) for item in client.get("/ws/").context["nav"]]

    assert places(browser()) == ["/"]
    assert places(browser("student")) == ["/", "/files/", "/result/"]
    assert places(browser("manager")) == ["/", "/students/", "/files/", "/result/", "/ops/"]
    assert places(browser("operator")) == ["/", "/files/", "/result/", "/ops/"]


def test_the_frame_knows_who_is_here(make_user, browser):
    user = make_user("instructor", name="Emre")
    me = browser(user=user).get("/ws/").context["me"]
    assert (me["id"], me["name"], me["roles"], me["is_staffish"]) == (str(user.pk), "Emre", ["instructor"], True)
    assert browser().get("/ws/").context["me"]["id"] is None


def test_the_description_of_the_api_is_there_while_files_and_search_are_not(client):
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    assert document["info"]["x-missing"] == ["files", "search"]
    assert "/api/token/" in document["paths"]
    assert not [path for path in document["paths"] if path.startswith("/internal")]
    assert set(document["components"]["securitySchemes"]) == {"bearer", "session"}


def test_pages_carry_a_policy_that_lets_only_our_own_scripts_run(client):
    policy = client.get("/ws/").headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    swagger = client.get("/swagger/")
    assert "script-src 'self';" in swagger.headers["Content-Security-Policy"]
    assert b"<script>" not in swagger.content


def test_the_api_speaks_english_to_everybody_and_pages_the_readers_language(api, client):
    refused = api().get("/api/v1/users/me/", HTTP_ACCEPT_LANGUAGE="tr")
    assert "Accept-Language" not in refused.headers.get("Vary", "")
    page = client.get("/ws/", HTTP_ACCEPT_LANGUAGE="tr")
    assert page.headers["Content-Language"] in {"tr", "en"}


def test_operators_and_managers_see_ops_and_others_do_not(browser):
    for role in ("operator", "manager"):
        assert browser(role).get("/ops/styleguide/").status_code == 200
    for role in ("student", "instructor", "customer"):
        answer = browser(role).get("/ops/", HTTP_ACCEPT="text/html")
        assert answer.status_code == 403
        assert answer.headers["Content-Type"].startswith("text/html")
