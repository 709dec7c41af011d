"""`/ops/schedules/` without JavaScript: make, change, switch, run and remove what starts by itself."""

from __future__ import annotations

import pytest
from ochaq_web.jobs import schedules as rules
from ochaq_web.jobs.models import Job, JobSchedule

pytestmark = pytest.mark.django_db
LIST, NEW = "/ops/schedules/", "/ops/schedules/new/"
SWEEP = {
    "name": "night-sweep",
    "title": "Night sweep",
    "kind": "maintenance.sweep",
    "params": "",
    "cron": "30 3 * * *",
    "every_seconds": "",
    "time_zone": "Asia/Tashkent",
    "misfire": "once",
    "enabled": "on",
}


@pytest.fixture
def chef(make_user):
    return make_user("operator")


@pytest.fixture
def page(browser, chef):
    return browser(user=chef)


@pytest.fixture
def sweep(chef):
    return rules.schedule_save(
        name="sweep", actor=chef, new=True, title="Sweep", kind="maintenance.sweep", cron="0 4 * * *"
    )


def test_only_operators_open_them(browser, sweep):
    for path in (LIST, NEW, f"{LIST}sweep/"):
        assert browser("operator").get(path).status_code == 200
        assert browser("manager").get(path).status_code == 403
        assert browser().get(path).status_code == 302
    for verb in ("run", "switch", "remove"):
        assert browser("manager").post(f"{LIST}sweep/{verb}/").status_code == 403
    assert JobSchedule.objects.filter(name="sweep", enabled=True).exists() and not Job.objects.exists()


def test_one_is_made_and_shown_with_its_next_time(page, chef):
    answer = page.post(NEW, SWEEP)
    assert (answer.status_code, answer.headers["Location"]) == (303, LIST)
    made = JobSchedule.objects.get(name="night-sweep")
    assert (made.cron, made.time_zone, made.owner, made.enabled) == ("30 3 * * *", "Asia/Tashkent", chef, True)
    text = page.get(LIST).content.decode()
    assert "Night sweep" in text and "30 3 * * *" in text and made.next_at.strftime("%Y-%m-%dT%H:%M") in text


def test_the_next_five_times_are_shown_before_anything_is_saved(page):
    answer = page.post(NEW, {**SWEEP, "preview": "yes"})
    assert answer.status_code == 200 and len(answer.context["next"]) == 5
    assert {time.strftime("%H:%M") for time in answer.context["next"]} == {"22:30"}
    assert not JobSchedule.objects.filter(name="night-sweep").exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": ""}, "cron"),
        ({"every_seconds": "60"}, "every_seconds"),
        ({"cron": "", "every_seconds": "-1"}, "every_seconds"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"params": "{"}, "params"),
        ({"params": "[1]"}, "params"),
        ({"params": '{"soup": 1}'}, "params"),
        ({"name": "Not a name"}, "name"),
        ({"name": "new"}, "name"),
        ({"kind": "lab.ours"}, "kind"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(page, wrong, field):
    answer = page.post(NEW, {**SWEEP, **wrong})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    text = answer.content.decode()
    assert f'id="id_{field}_error"' in text and 'value="Night sweep"' in text
    assert not JobSchedule.objects.filter(title="Night sweep").exists()


def test_a_name_that_is_taken_is_said_beside_the_name(page, sweep):
    answer = page.post(NEW, {**SWEEP, "name": "sweep"})
    assert answer.status_code == 422 and list(answer.context["form"].errors) == ["name"]


def test_a_change_keeps_the_name_and_is_there_at_once(page, sweep):
    page.post(f"{LIST}sweep/", {**SWEEP, "cron": "", "every_seconds": "90", "title": "Often"})
    sweep.refresh_from_db()
    assert (sweep.name, sweep.title, sweep.cron, sweep.every_seconds) == ("sweep", "Often", "", 90)


def test_off_and_on_again(page, sweep):
    page.post(f"{LIST}sweep/switch/", {"enabled": "false"})
    sweep.refresh_from_db()
    assert not sweep.enabled
    page.post(f"{LIST}sweep/switch/", {"enabled": "true"})
    sweep.refresh_from_db()
    assert sweep.enabled and sweep.next_at is not None


def test_run_now_leads_to_the_job(page, sweep):
    answer = page.post(f"{LIST}sweep/run/")
    job = Job.objects.get()
    assert answer.headers["Location"] == f"/result/{job.id}/"
    assert page.get(answer.headers["Location"]).status_code == 200
    assert str(job.id) in page.get(LIST).content.decode()


def test_what_it_started_is_listed(page, sweep):
    JobSchedule.objects.filter(pk=sweep.pk).update(next_at="2026-01-01T04:00:00Z")
    (fired,) = rules.schedules_fire()["fired"]
    text = page.get(f"{LIST}sweep/").content.decode()
    assert str(fired["job"]) in text and "missed before" in text


def test_removed_is_removed_and_its_jobs_stay(page, sweep):
    page.post(f"{LIST}sweep/run/")
    page.post(f"{LIST}sweep/remove/")
    assert not JobSchedule.objects.filter(name="sweep").exists() and Job.objects.count() == 1
    assert page.post(f"{LIST}sweep/remove/").status_code == 303
    assert page.get(f"{LIST}sweep/").status_code == 404
