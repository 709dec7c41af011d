"""The list: prefixes, ages, orders, keyset pages, and the indexes behind them."""

from __future__ import annotations

import pytest
from django.db import connection
from ochaq_web.students.models import Student
from ochaq_web.students.selectors import Wanted, student_list, student_ordering

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    rows = [
        ("Gülşen", "Yılmaz", "g1@x.org", 20),
        ("Anna", "Güler", "a1@x.org", 30),
        ("Zoe", "Adams", "gul@x.org", 40),
        ("100%", "_x", "p1@x.org", 50),
    ]
    return Student.objects.bulk_create(
        Student(first_name=first, last_name=last, email=email, age=age) for first, last, email, age in rows
    )


def names(answer):
    return [row["first_name"] for row in answer.json()["results"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "gül"}, ["Gülşen", "Anna"]),
        ({"q": "GÜL"}, ["Gülşen", "Anna"]),
        ({"q": "gul@"}, ["Zoe"]),
        ({"q": "%"}, []),
        ({"q": "_"}, ["100%"]),
        ({"q": "100%"}, ["100%"]),
        ({"q": "\\"}, []),
        ({"age_min": 30, "age_max": 40}, ["Anna", "Zoe"]),
        ({"ordering": "-age"}, ["100%", "Zoe", "Anna", "Gülşen"]),
        ({"ordering": "last_name"}, ["100%", "Zoe", "Anna", "Gülşen"]),
        ({"ordering": "first_name", "limit": 2}, ["100%", "Anna"]),
    ],
)
def test_the_list_finds_and_orders(api, people, query, found):
    assert names(api("instructor").get("/api/v1/students/", query)) == found


@pytest.mark.parametrize("ordering", ["id", "-id", "first_name", "-last_name", "email", "-age"])
def test_pages_hold_every_student_once_in_every_order(api, people, ordering):
    client, seen = api("instructor"), []
    answer = client.get("/api/v1/students/", {"ordering": ordering, "limit": 1}).json()
    while True:
        seen += [row["id"] for row in answer["results"]]
        if not answer["next"]:
            break
        answer = client.get(answer["next"].removeprefix("http://testserver")).json()
    assert sorted(seen) == sorted(student.id for student in people)


@pytest.mark.parametrize(
    "query",
    [
        *({"age_min": "x"}, {"age_max": "-1"}, {"ordering": "demo"}, {"q": "a" * 255}, {"q": "\x00"}),
        *({"limit": "201"}, {"cursor": "%%%"}),
    ],
)
def test_wrong_filters_are_a_422(api, query):
    assert api("instructor").get("/api/v1/students/", query).status_code == 422


def test_a_prefix_is_answered_by_the_indexes_and_a_page_by_its_key(people):
    wanted = Wanted(q="gül", ordering="last_name")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        prefix = student_list(wanted).order_by().explain()
        paged = student_list(Wanted()).order_by(*student_ordering(wanted))[:25].explain()
    for index in ("student_first_name_folded", "student_last_name_folded", "student_email_once"):
        assert index in prefix
    assert "student_last_name_folded" in paged and "Sort" not in paged.replace("Incremental Sort", "Sort")


def test_the_page_shows_and_searches_without_scripts(browser, people):
    page = browser("instructor").get("/students/", {"q": "gül"})
    assert page.status_code == 200
    text = page.content.decode()
    assert "Gülşen" in text and "Adams" not in text
    assert browser("student").get("/students/").status_code == 403
    assert browser().get("/students/").status_code == 302


def test_the_start_page_starts_one_job_however_often_its_button_is_pressed(browser, make_user):
    from ochaq_web.jobs.models import Job

    manager = browser("manager")
    form = {"count": "100", "replace": "true", "idempotency_key": "one"}
    for _ in range(2):
        answer = manager.post("/students/test/", form)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/students/test/")
    job = Job.objects.get()
    assert job.params == {"count": 100, "replace": True}
    assert str(job.id) in manager.get("/students/test/").content.decode()
    assert browser("instructor").post("/students/test/", form).status_code == 403
    assert manager.post("/students/test/", {"count": "ten"}).status_code == 422
