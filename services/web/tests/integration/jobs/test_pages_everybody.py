"""`/ops/jobs/`: everybody's jobs, what can be done to them, and who may."""

from __future__ import annotations

import pytest
from ochaq_web.jobs import services
from ochaq_web.jobs.models import Job, JobEvent

pytestmark = pytest.mark.django_db
PAGE = "/ops/jobs/"


@pytest.fixture
def chef(make_user):
    return make_user("operator", name="Olga")


@pytest.fixture
def owner(make_user):
    return make_user("manager", email="aziza@example.com", name="Aziza")


@pytest.fixture
def page(browser, chef):
    return browser(user=chef)


@pytest.fixture
def job(owner):
    return services.job_enqueue(kind="students.purge", params={}, owner=owner)


@pytest.fixture
def failed(owner):
    """A job that a worker took and that failed."""
    job = services.job_enqueue(kind="search.rebuild", params={}, owner=owner)
    claimed = services.job_claim(job_id=job.id, worker="kitchen:7")
    error = {"code": "upstream.broken", "detail": "The oven is cold."}
    services.job_finish(job_id=job.id, fence=claimed.fence, status="failed", error=error)
    return Job.objects.get(pk=job.pk)


def shown(page, **query):
    answer = page.get(PAGE, query)
    assert answer.status_code == 200
    return {str(job.id) for job in Job.objects.all() if f'value="{job.id}"' in answer.content.decode()}


def test_only_operators_open_it(browser, page):
    assert page.get(PAGE).status_code == 200
    assert browser("manager").get(PAGE).status_code == 403
    assert browser("student").get(PAGE).status_code == 403
    assert browser().get(PAGE).status_code == 302


def test_it_opens_in_an_empty_house(page):
    text = page.get(PAGE).content.decode()
    assert "Nothing failed in this time." in text and "No worker holds a job now." in text


def test_every_filter_finds_what_it_names(page, job, failed, owner):
    both, one, other = {str(job.id), str(failed.id)}, {str(job.id)}, {str(failed.id)}
    assert shown(page) == both
    assert shown(page, status="failed") == other
    assert shown(page, kind="students.purge") == one
    assert shown(page, owner="AZIZA@example.com") == both
    assert shown(page, worker="kitchen:7") == other
    assert shown(page, worker="kitchen:8") == set()
    assert shown(page, period="hour") == both
    assert shown(page, error=failed.error_key) == other
    assert shown(page, text=str(job.id)) == one
    assert shown(page, text="no-such-request") == set()


def test_a_name_that_nobody_has_is_said_beside_its_field_and_finds_nothing(page, job):
    answer = page.get(PAGE, {"owner": "nobody@example.com"})
    assert "Nobody is called this." in answer.content.decode()
    assert str(job.id) not in answer.content.decode()


def test_words_the_filters_do_not_know_narrow_nothing(page, job):
    assert shown(page, status="eaten", kind="soup", period="aeon") == {str(job.id)}


def test_the_list_goes_on_where_its_page_ended(page, owner, monkeypatch):
    monkeypatch.setattr("ochaq_web.jobs.pages.everybody.PER_PAGE", 2)
    made = [services.job_enqueue(kind="students.purge", params={}, owner=owner) for _ in range(3)]
    first = page.get(PAGE)
    assert str(made[0].id) not in first.content.decode()
    second = page.get(first.context["next_url"])
    assert str(made[0].id) in second.content.decode() and str(made[2].id) not in second.content.decode()


def test_an_error_is_shown_once_for_all_its_jobs_with_a_way_to_run_them_again(page, failed):
    text = page.get(PAGE).content.decode()
    assert "The oven is cold." in text and "upstream.broken" in text
    assert f'name="error" value="{failed.error_key}"' in text


def test_the_group_runs_again_and_the_timeline_says_who_and_why(page, failed, chef):
    answer = page.post(f"{PAGE}redrive/", {"error": failed.error_key, "period": "day", "reason": "the oven is warm"})
    assert answer.status_code == 303
    failed.refresh_from_db()
    assert failed.status == "queued"
    line = JobEvent.objects.filter(job=failed).latest("seq")
    assert (line.kind, line.actor, line.data["reason"]) == ("redriven", str(chef.pk), "the oven is warm")
    story = page.get(f"/result/{failed.id}/").content.decode()
    assert "the oven is warm" in story and "by you" in story


def test_nothing_runs_again_without_a_reason_or_a_group(page, failed):
    page.post(f"{PAGE}redrive/", {"error": failed.error_key, "period": "day", "reason": "  "})
    page.post(f"{PAGE}redrive/", {"error": "", "period": "day", "reason": "all of them"})
    page.post(PAGE, {"job": [str(failed.id)], "act": "redrive", "reason": ""})
    failed.refresh_from_db()
    assert failed.status == "failed"


def test_what_is_ticked_is_cancelled_or_run_again_with_its_reason(page, job, failed):
    page.post(PAGE, {"job": [str(job.id), str(failed.id)], "act": "cancel", "reason": "closing early"})
    job.refresh_from_db()
    assert job.status == "cancelled"
    assert JobEvent.objects.filter(job=job).latest("seq").data["reason"] == "closing early"
    answer = page.post(
        PAGE, {"job": [str(job.id), str(failed.id)], "act": "redrive", "reason": "open again"}, follow=True
    )
    assert "2 jobs run again." in answer.content.decode()
    assert set(Job.objects.values_list("status", flat=True)) == {"queued"}


def test_ticks_that_are_no_jobs_do_no_harm(page, job):
    answer = page.post(
        PAGE, {"job": ["soup", "00000000-0000-7000-8000-000000000000"], "act": "cancel", "reason": "x"}, follow=True
    )
    assert answer.status_code == 200
    assert "Tick the jobs first." in page.post(PAGE, {"act": "cancel", "reason": "x"}, follow=True).content.decode()


def test_a_manager_may_not_act_on_the_jobs_of_others(browser, failed):
    answer = browser("manager").post(PAGE, {"job": [str(failed.id)], "act": "redrive", "reason": "mine now"})
    assert answer.status_code == 403
    assert browser("manager").post(f"{PAGE}redrive/", {"error": failed.error_key, "reason": "x"}).status_code == 403


def test_an_operator_opens_anybodys_job_and_sees_whose_it_is(page, job):
    text = page.get(f"/result/{job.id}/").content.decode()
    assert "Asked for by Aziza." in text and str(job.id) in text


def test_markup_in_an_error_is_text(page, owner):
    job = services.job_enqueue(kind="search.rebuild", params={}, owner=owner)
    claimed = services.job_claim(job_id=job.id, worker="<b>w</b>")
    error = {"code": "x", "detail": "<script>alert(1)</script>"}
    services.job_finish(job_id=job.id, fence=claimed.fence, status="failed", error=error)
    for text in (page.get(PAGE).content.decode(), page.get(f"/result/{job.id}/").content.decode()):
        assert "<script>alert" not in text and "&lt;script&gt;alert" in text and "<b>w</b>" not in text
