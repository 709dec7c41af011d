"""Starting, listing, cancelling and retrying jobs through the API."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from ochaq_web.jobs.models import Job, JobEvent

pytestmark = pytest.mark.django_db

GENERATE = {"kind": "students.generate", "params": {"count": 5, "replace": True}}
PURGE = {"kind": "students.purge", "params": {}}


def outbox(kind="%"):
    with connection.cursor() as cursor:
        cursor.execute("SELECT type, routing_key, body FROM outbox WHERE type LIKE %s ORDER BY id", (kind,))
        return cursor.fetchall()


def test_a_start_answers_202_with_location_and_writes_row_event_fact_and_command_together(api):
    answer = api("manager").post("/api/v1/jobs/", GENERATE)
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['id']}/"
    assert job["status"] == "queued" and job["progress"] == {"done": 0, "total": 5} and job["result"] is None
    assert [event.kind for event in JobEvent.objects.filter(job_id=job["id"])] == ["queued"]
    kinds = [row[0] for row in outbox()]
    assert kinds == ["ochaq.jobs.job.changed.v1", "ochaq.jobs.run"]
    assert outbox("ochaq.jobs.run")[0][1] == "jobs.long"


def test_defaults_are_filled_in(api):
    assert api("manager").post("/api/v1/jobs/", {"kind": "students.generate"}).json()["params"] == {
        "count": 10_000,
        "replace": False,
    }


@pytest.mark.parametrize(
    "params",
    [
        {"count": 0},
        {"count": -5},
        {"count": "ten"},
        {"count": 10**9},
        {"count": 1.5},
        {"count": True},
        {"cuont": 5},
        {"replace": 1},
        {"count": None},
        None,
        [],
        "x",
        7,
    ],
)
def test_wrong_parameters_are_a_422_with_a_pointer_and_no_job(api, params):
    answer = api("manager").post("/api/v1/jobs/", {"kind": "students.generate", "params": params})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/params")
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "body", [{"kind": "os.system"}, {"kind": 7}, {"kind": None}, {}, [], "x", {**GENERATE, "owner": "me"}]
)
def test_unknown_kinds_and_names_are_a_422(api, body):
    assert api("manager").post("/api/v1/jobs/", body).status_code == 422


@pytest.mark.parametrize(
    ("role", "kind", "status"),
    [
        ("student", "students.generate", 403),
        ("instructor", "students.generate", 403),
        ("operator", "students.purge", 403),
        ("operator", "search.rebuild", 202),
        ("manager", "search.rebuild", 202),
        ("customer", "search.rebuild", 403),
    ],
)
def test_each_kind_asks_for_its_role(api, role, kind, status):
    assert api(role).post("/api/v1/jobs/", {"kind": kind, "params": {}}).status_code == status


def test_visitors_are_asked_to_sign_in(api):
    assert api().post("/api/v1/jobs/", GENERATE).status_code == 401
    assert api().get("/api/v1/jobs/").status_code == 401


def test_search_rebuild_goes_to_its_own_receiver_as_plain_json(api):
    job = api("manager").post("/api/v1/jobs/", {"kind": "search.rebuild", "params": {}}).json()
    ((_, key, body),) = outbox("search.rebuild")
    assert key == "search.rebuild" and str(job["id"]) in str(body)


def test_the_same_idempotency_key_answers_the_first_job_again(api):
    client, key = api("manager"), str(uuid.uuid4())
    one = client.post("/api/v1/jobs/", PURGE, headers={"Idempotency-Key": key})
    two = client.post("/api/v1/jobs/", PURGE, headers={"Idempotency-Key": key})
    assert one.status_code == two.status_code == 202
    assert one.json()["id"] == two.json()["id"]
    assert two.headers["Idempotency-Replayed"] == "true" and two.headers["Location"] == one.headers["Location"]
    assert client.post("/api/v1/jobs/", GENERATE, headers={"Idempotency-Key": key}).status_code == 422
    assert Job.objects.count() == 1


def test_one_sees_own_jobs_and_operators_see_all(api, make_user):
    owner = make_user("manager")
    mine = api(user=owner).post("/api/v1/jobs/", PURGE).json()
    other, operator = api("manager"), api("operator")
    assert other.get("/api/v1/jobs/").json()["results"] == []
    assert other.get(f"/api/v1/jobs/{mine['id']}/").status_code == 404
    assert other.post(f"/api/v1/jobs/{mine['id']}/cancel/").status_code == 404
    assert [job["id"] for job in operator.get("/api/v1/jobs/").json()["results"]] == [mine["id"]]
    assert operator.get(f"/api/v1/jobs/{mine['id']}/").status_code == 200


def test_the_list_is_filtered_paged_and_newest_first(api):
    client = api("manager")
    ids = [client.post("/api/v1/jobs/", PURGE).json()["id"] for _ in range(3)]
    client.post(f"/api/v1/jobs/{ids[1]}/cancel/")
    page = client.get("/api/v1/jobs/", {"limit": 2}).json()
    assert [job["id"] for job in page["results"]] == [ids[2], ids[1]] and page["next"]
    assert [job["id"] for job in client.get("/api/v1/jobs/", {"status": "cancelled"}).json()["results"]] == [ids[1]]
    assert client.get("/api/v1/jobs/", {"kind": "search.rebuild"}).json()["results"] == []


@pytest.mark.parametrize("query", [{"status": "odd"}, {"kind": "odd"}, {"limit": "0"}, {"cursor": "x"}])
def test_a_misspelt_filter_is_a_422(api, query):
    assert api("manager").get("/api/v1/jobs/", query).status_code == 422


def test_a_queued_job_is_cancelled_at_once_and_can_be_retried(api):
    client = api("manager")
    job = client.post("/api/v1/jobs/", PURGE).json()
    cancelled = client.post(f"/api/v1/jobs/{job['id']}/cancel/")
    assert cancelled.status_code == 202
    assert cancelled.json()["status"] == "cancelled" and cancelled.json()["finished_at"]
    assert client.post(f"/api/v1/jobs/{job['id']}/cancel/").json()["code"] == "jobs.over"
    again = client.post(f"/api/v1/jobs/{job['id']}/retry/")
    assert again.status_code == 202 and again.json()["status"] == "queued" and again.json()["finished_at"] is None
    assert client.post(f"/api/v1/jobs/{job['id']}/retry/").status_code == 409
    assert len(outbox("ochaq.jobs.run")) == 2


def test_unknown_and_malformed_ids_are_a_404(api):
    client = api("manager")
    assert client.get("/api/v1/jobs/00000000-0000-7000-8000-000000000000/").status_code == 404
    assert client.post("/api/v1/jobs/not-a-uuid/cancel/").status_code == 404
