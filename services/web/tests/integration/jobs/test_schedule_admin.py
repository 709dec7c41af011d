"""Schedules in Django's admin go through the same rules as everywhere."""

from __future__ import annotations

import pytest
from ochaq_web.jobs.models import Job, JobSchedule

pytestmark = pytest.mark.django_db

FORM = {
    "name": "nightly",
    "title": "",
    "kind": "maintenance.sweep",
    "params": "{}",
    "cron": "0 3 * * *",
    "every_seconds": "",
    "time_zone": "Asia/Tashkent",
    "enabled": "on",
    "misfire": "once",
    "slots-TOTAL_FORMS": "0",
    "slots-INITIAL_FORMS": "0",
}


@pytest.fixture
def admin(make_user, browser):
    return browser(user=make_user("operator", is_staff=True, is_superuser=True))


def test_a_schedule_is_made_changed_run_and_removed(admin):
    assert admin.post("/admin/jobs/jobschedule/add/", FORM).status_code == 302
    made = JobSchedule.objects.get(name="nightly")
    assert made.version == 1 and made.next_at is not None and made.next_at.hour == 22
    page = f"/admin/jobs/jobschedule/{made.pk}/change/"
    assert admin.get(page).status_code == 200
    assert admin.post(page, {**FORM, "cron": "0 4 * * *"}).status_code == 302
    made.refresh_from_db()
    assert (made.cron, made.version) == ("0 4 * * *", 2)
    admin.post("/admin/jobs/jobschedule/", {"action": "run_now", "_selected_action": [made.pk]})
    assert Job.objects.get().kind == "maintenance.sweep"
    admin.post(f"/admin/jobs/jobschedule/{made.pk}/delete/", {"post": "yes"})
    assert not JobSchedule.objects.filter(name="nightly").exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"cron": "x"}, "cron"),
        ({"kind": "gone"}, "kind"),
        ({"params": '{"a": 1}'}, "params"),
        ({"time_zone": "X"}, "time_zone"),
    ],
)
def test_a_mistake_is_shown_beside_its_field_and_nothing_is_saved(admin, wrong, field):
    answer = admin.post("/admin/jobs/jobschedule/add/", {**FORM, **wrong})
    assert answer.status_code == 200 and field in answer.context["adminform"].form.errors
    assert not JobSchedule.objects.filter(name="nightly").exists()


def test_the_jobs_pages_still_open(admin, running):
    job = running()
    assert admin.get("/admin/jobs/job/").status_code == 200
    assert admin.get(f"/admin/jobs/job/{job.pk}/change/").status_code == 200
