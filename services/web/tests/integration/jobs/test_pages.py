"""`/result/` without JavaScript."""

from __future__ import annotations

import pytest
from ochaq_web.jobs import services

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(make_user):
    return make_user("manager")


@pytest.fixture
def job(owner):
    return services.job_enqueue(kind="students.purge", params={}, owner=owner)


def test_my_jobs_are_shown_and_only_mine(browser, owner, job):
    assert str(job.id) in browser(user=owner).get("/result/").content.decode()
    assert str(job.id) not in browser("manager").get("/result/").content.decode()


def test_filters_come_from_the_address(browser, owner, job):
    page = browser(user=owner)
    assert str(job.id) in page.get("/result/", {"status": "queued", "kind": "students.purge"}).content.decode()
    assert str(job.id) not in page.get("/result/", {"status": "failed"}).content.decode()


def test_cancel_and_retry_answer_303_and_act(browser, owner, job):
    page = browser(user=owner)
    answer = page.post(f"/result/{job.id}/cancel/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/result/")
    job.refresh_from_db()
    assert job.status == "cancelled"
    assert page.post(f"/result/{job.id}/cancel/").status_code == 303
    page.post(f"/result/{job.id}/retry/", {"next": "/students/test/"})
    job.refresh_from_db()
    assert job.status == "queued"


def test_nobody_is_sent_to_another_site(browser, owner, job):
    answer = browser(user=owner).post(f"/result/{job.id}/cancel/", {"next": "https://evil.example/"})
    assert answer.headers["Location"] == "/result/"


def test_a_foreign_job_is_unknown(browser, job):
    assert browser("manager").post(f"/result/{job.id}/cancel/").status_code == 404


def test_visitors_sign_in_first(browser):
    assert browser().get("/result/").status_code == 302
