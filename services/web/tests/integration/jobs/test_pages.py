"""`/result/`, one's own jobs, and the page of each, without JavaScript."""

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


def test_an_open_page_asks_for_the_cards_that_changed_and_gets_only_its_own(browser, owner, job):
    foreign = services.job_enqueue(kind="search.rebuild", params={}, owner=None)
    text = browser(user=owner).get("/result/", {"only": f"{job.id},{foreign.id},soup"}).content.decode()
    assert f'data-job="{job.id}"' in text
    assert f'data-job="{foreign.id}"' not in text


def test_the_page_of_a_job_tells_its_story(browser, owner, job):
    claimed = services.job_claim(job_id=job.id, worker="kitchen:7")
    services.job_heartbeat(job_id=job.id, fence=claimed.fence, progress={"done": 3, "total": 4})
    page = browser(user=owner)
    text = page.get(f"/result/{job.id}/").content.decode()
    assert "Taken by a worker" in text and "kitchen:7" in text and "75%" in text
    error = {"code": "jobs.worker_lost", "detail": "The worker was lost."}
    services.job_finish(job_id=job.id, fence=claimed.fence, status="failed", error=error)
    text = page.get(f"/result/{job.id}/").content.decode()
    assert "The worker was lost." in text and "tell an operator" in text
    assert f'action="/result/{job.id}/retry/"' in text


def test_a_reason_stands_in_the_timeline(browser, owner, job):
    page = browser(user=owner)
    page.post(f"/result/{job.id}/cancel/", {"reason": "wrong number"})
    page.post(f"/result/{job.id}/retry/", {"reason": "right after all", "next": f"/result/{job.id}/"})
    text = page.get(f"/result/{job.id}/").content.decode()
    assert "wrong number" in text and "right after all" in text and "by you" in text


def test_history_is_filtered_by_the_time_it_began(browser, owner, job):
    page = browser(user=owner)
    assert str(job.id) in page.get("/result/", {"period": "hour"}).content.decode()
    assert page.get("/result/", {"period": "hour"}).context["narrows"]


def test_the_page_of_a_foreign_job_is_unknown(browser, job):
    assert browser("manager").get(f"/result/{job.id}/").status_code == 404


def test_the_end_that_came_before_the_button_is_told(browser, owner, job):
    services.job_cancel(job_id=job.id, actor="")
    text = browser(user=owner).post(f"/result/{job.id}/cancel/", follow=True).content.decode()
    assert "The job had changed meanwhile" in text
