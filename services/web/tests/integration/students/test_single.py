"""Single students through the API."""

from __future__ import annotations

import pytest
from django.db import connection
from ochaq_web.students.models import Student

pytestmark = pytest.mark.django_db

ANN = {"first_name": "Gülşen", "last_name": "Bar", "email": "Gulsen@Example.com", "age": 20}


def facts():
    with connection.cursor() as cursor:
        cursor.execute("SELECT type, subject, version FROM outbox WHERE type LIKE 'ochaq.students.%' ORDER BY id")
        return cursor.fetchall()


def test_a_student_is_made_changed_and_removed_and_each_step_is_told(api):
    client = api("manager")
    made = client.post("/api/v1/students/", ANN)
    assert made.status_code == 201
    number = made.json()["id"]
    assert made.json() == {**ANN, "id": number, "demo": False, "version": 1}
    assert made.headers["Location"] == f"/api/v1/students/{number}/"
    assert client.patch(f"/api/v1/students/{number}/", {"age": 21}).json()["version"] == 2
    assert client.patch(f"/api/v1/students/{number}/", {"age": 21}).json()["version"] == 2
    assert client.put(f"/api/v1/students/{number}/", {**ANN, "age": 22}).json()["age"] == 22
    assert client.delete(f"/api/v1/students/{number}/").status_code == 204
    assert client.get(f"/api/v1/students/{number}/").status_code == 404
    subject = f"student:{number}"
    assert facts() == [
        ("ochaq.students.student.created.v1", subject, 1),
        ("ochaq.students.student.changed.v1", subject, 2),
        ("ochaq.students.student.changed.v1", subject, 3),
        ("ochaq.students.student.removed.v1", subject, 4),
    ]


def test_an_address_is_unique_whatever_its_case(api):
    client = api("manager")
    client.post("/api/v1/students/", ANN)
    again = client.post("/api/v1/students/", {**ANN, "email": "GULSEN@example.COM"})
    assert again.status_code == 409 and again.json()["code"] == "students.email_taken"
    other = client.post("/api/v1/students/", {**ANN, "email": "other@example.com"}).json()
    assert client.patch(f"/api/v1/students/{other['id']}/", {"email": ANN["email"]}).status_code == 409
    assert Student.objects.count() == 2


@pytest.mark.parametrize(
    "change",
    [
        {"email": "no"},
        {"email": "a@b@c"},
        {"age": -1},
        {"age": 0},
        {"age": 121},
        {"age": "20"},
        {"age": True},
        {"age": 20.5},
        {"age": None},
        {"age": 10**400},
        {"first_name": "a\x00"},
        {"first_name": "a" * 31},
        {"first_name": ""},
        {"last_name": ["x"]},
        {"demo": True},
        {"id": 5},
    ],
)
def test_bad_input_is_a_422_and_changes_nothing(api, change):
    answer = api("manager").post("/api/v1/students/", {**ANN, **change})
    assert answer.status_code == 422, answer.content
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert not Student.objects.exists() and facts() == []


@pytest.mark.parametrize("odd", [b'"b","email":"a2@b.co","age":1e400', b'"\\ud800","email":"a2@b.co","age":20'])
def test_what_json_can_say_and_a_database_cannot_hold_is_a_422(api, odd):
    body = b'{"first_name":"a","last_name":' + odd + b"}"
    assert api("manager").post("/api/v1/students/", body, content_type="application/json").status_code == 422


@pytest.mark.parametrize(
    ("role", "read", "write"),
    [
        ("manager", 200, 201),
        ("instructor", 200, 403),
        ("student", 403, 403),
        ("customer", 403, 403),
        ("operator", 403, 403),
    ],
)
def test_staff_read_and_managers_write(api, role, read, write):
    client = api(role)
    assert client.get("/api/v1/students/").status_code == read
    assert client.post("/api/v1/students/", ANN).status_code == write


def test_visitors_are_asked_to_sign_in(api):
    assert api().get("/api/v1/students/").status_code == 401


def test_an_unknown_student_is_a_404(api):
    assert api("manager").delete("/api/v1/students/99999999999999999999/").status_code == 404
    assert api("manager").patch("/api/v1/students/7/", {"age": 20}).status_code == 404
