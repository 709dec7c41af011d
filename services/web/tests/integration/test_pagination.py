"""Keyset pages over a real table."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import RequestFactory
from ochaq_shared.problems import Problem
from ochaq_web.accounts.models import User
from ochaq_web.core.pagination import paginate

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(db):
    User.objects.bulk_create(User(email=f"p{n:03}@example.com", name=f"name {n % 7}") for n in range(30))
    return User.objects.all()


def page(queryset, ordering=("email",), **query):
    return paginate(RequestFactory().get("/api/v1/people/", query), queryset, ordering)


def query_of(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def walk(queryset, ordering, direction="next", start=None):
    found, url = [], start
    while True:
        current = page(queryset, ordering, **(query_of(url) if url else {"limit": "7"}))
        found.append([user.pk for user in current.rows])
        url = current.body([])[direction]
        if not url:
            return found, current


@pytest.mark.parametrize(
    "ordering",
    [("email",), ("-email",), ("name", "email"), ("-name", "email"), ("name", "-email"), ("-created_at", "id")],
)
def test_walking_forward_shows_every_row_once_in_order(people, ordering):
    pages, _ = walk(people, ordering)
    assert [len(rows) for rows in pages] == [7, 7, 7, 7, 2]
    assert [pk for rows in pages for pk in rows] == list(people.order_by(*ordering).values_list("pk", flat=True))


def test_walking_back_shows_the_same_pages(people):
    ordering = ("name", "email")
    forward, last = walk(people, ordering)
    back, first = walk(people, ordering, "previous", start=last.body([])["previous"])
    assert back == forward[-2::-1]
    assert first.previous_url is None


def test_rows_that_come_and_go_disturb_nobody(people):
    first = page(people, limit="10")
    User.objects.filter(email__in=["p003@example.com", "p009@example.com"]).delete()
    User.objects.create(email="p000a@example.com")
    second = page(people, **query_of(first.next_url))
    assert second.rows[0].email == "p010@example.com"


def test_the_addresses_keep_the_filters_and_the_api_gets_the_host(people):
    found = page(people, limit="5", q="çorba & co")
    assert found.next_url.startswith("/api/v1/people/?limit=5&q=%C3%A7orba+%26+co&cursor=")
    assert found.body([])["next"] == f"http://testserver{found.next_url}"
    assert found.previous_url is None


def test_an_empty_list_has_no_neighbours(people):
    found = page(people.none())
    assert found.body([]) == {"results": [], "next": None, "previous": None}


@pytest.mark.parametrize("limit", ["many", "0", "-1", "201", "1.5", "", "٣", "1e2", "9" * 50])
def test_a_limit_out_of_range_is_invalid(people, limit):
    with pytest.raises(Problem) as caught:
        page(people, limit=limit)
    assert caught.value.status == 422
    assert caught.value.errors[0].pointer == "limit"


@pytest.mark.parametrize("cursor", ["%%%", "", "abc", "abc.def", "a" * 5000, "é", "."])
def test_nonsense_is_no_cursor(people, cursor):
    with pytest.raises(Problem) as caught:
        page(people, cursor=cursor)
    assert caught.value.status == 422


def test_a_cursor_that_was_changed_is_refused(people):
    cursor = query_of(page(people, limit="5").next_url)["cursor"]
    payload, _, signature = cursor.partition(".")
    for forged in (f"{payload[:-2]}xx.{signature}", f"{payload}.{signature[:-1]}", payload):
        with pytest.raises(Problem):
            page(people, cursor=forged)


def test_a_cursor_of_another_order_is_refused(people):
    cursor = query_of(page(people, limit="5").next_url)["cursor"]
    with pytest.raises(Problem):
        page(people, ("-email",), cursor=cursor)
