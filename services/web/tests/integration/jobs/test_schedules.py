"""Schedules in PostgreSQL: each slot is fired once, by however many schedulers, and what was missed is decided once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone
from jobs_by_hand import refused
from ochaq_web.jobs import schedules, services
from ochaq_web.jobs.models import Job, JobSchedule, JobScheduleSlot

pytestmark = pytest.mark.django_db

EVERY = {"kind": "test.noop", "params": {}, "every_seconds": 60, "time_zone": "UTC"}


@pytest.fixture
def operator(make_user):
    return make_user("operator")


@pytest.fixture
def schedule(operator):
    """schedule(misfire="skip") → a schedule of one job a minute; `ago` seconds after its slot came due."""

    def make(ago=0.0, **values):
        made = schedules.schedule_save(name="minutely", actor=operator, **{**EVERY, **values})
        due(made, ago)
        return made

    return make


def due(made, ago):
    """Turn its clock: `ago` seconds ago the next slot came."""
    moment = timezone.now() - timedelta(seconds=ago)
    JobSchedule.objects.filter(pk=made.pk).update(next_at=moment)


def slots():
    return list(JobScheduleSlot.objects.order_by("pk").values_list("outcome", "missed"))


def test_a_due_slot_starts_its_job_and_names_the_next(schedule, operator):
    made = schedule()
    (fired,) = schedules.schedules_fire()["fired"]
    job = Job.objects.get(pk=fired["job"])
    assert (job.kind, job.owner, job.status) == ("test.noop", operator, "queued")
    assert job.events.get().actor == "schedule:minutely"
    made.refresh_from_db()
    assert made.last_job == job and made.next_at > timezone.now() and slots() == [("started", 0)]
    answer = schedules.schedules_fire()
    assert answer["fired"] == [] and 0 < answer["next_in_seconds"] <= 60


def test_a_schedule_that_was_just_seeded_waits_for_its_first_slot(operator):
    JobSchedule.objects.create(name="new", kind="test.noop", cron="7 * * * *")
    assert schedules.schedules_fire()["fired"] == []
    made = JobSchedule.objects.get(name="new")
    assert made.next_at > timezone.now() and made.next_at.minute == 7


def test_after_an_outage_one_job_makes_up_for_all_missed_slots(schedule):
    schedule(ago=600)
    assert len(schedules.schedules_fire()["fired"]) == 1
    assert slots() == [("started", 10)] and Job.objects.count() == 1


def test_or_none_does_where_the_schedule_says_so(schedule):
    made = schedule(ago=7265, misfire="skip", every_seconds=3600)
    assert schedules.schedules_fire()["fired"] == []
    assert slots() == [("missed", 2)] and not Job.objects.exists()
    made.refresh_from_db()
    assert made.next_at > timezone.now()


def test_a_slot_that_is_only_a_little_late_is_not_missed(schedule):
    schedule(ago=20, misfire="skip")
    assert len(schedules.schedules_fire()["fired"]) == 1


def test_a_job_that_is_still_at_work_is_not_started_again(schedule):
    made = schedule()
    (first,) = schedules.schedules_fire()["fired"]
    services.job_claim(job_id=first["job"], worker="w")
    due(made, 1)
    assert schedules.schedules_fire()["fired"] == []
    services.job_finish(job_id=first["job"], fence=1, status="succeeded")
    due(made, 0)
    assert len(schedules.schedules_fire()["fired"]) == 1
    assert [outcome for outcome, _ in slots()] == ["started", "overlapped", "started"]


def test_a_slot_fires_once_even_when_the_clock_is_turned_back(schedule):
    made = schedule(ago=5)
    schedules.schedules_fire()
    Job.objects.update(status="succeeded")
    JobSchedule.objects.filter(pk=made.pk).update(next_at=JobScheduleSlot.objects.get().slot)
    assert schedules.schedules_fire()["fired"] == [] and Job.objects.count() == 1


def test_a_kind_that_is_no_longer_known_is_refused_and_spoils_nothing(schedule):
    made = schedule()
    JobSchedule.objects.filter(pk=made.pk).update(kind="gone")
    assert schedules.schedules_fire()["fired"] == [] and slots() == [("refused", 0)]


def test_what_is_switched_off_stays_quiet(schedule, operator):
    schedule()
    schedules.schedule_save(name="minutely", actor=operator, enabled=False)
    assert schedules.schedules_fire()["fired"] == [] and slots() == []


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"cron": "61 * * * *", "every_seconds": None}, "/cron"),
        ({"cron": "* * * *", "every_seconds": None}, "/cron"),
        ({"cron": "0 0 30 2 *", "every_seconds": None}, "/cron"),
        ({"cron": "", "every_seconds": None}, "/cron"),
        ({"cron": "7 * * * *"}, "/every_seconds"),
        ({"every_seconds": 0}, "/every_seconds"),
        ({"every_seconds": True}, "/every_seconds"),
        ({"time_zone": "Mars/Base"}, "/time_zone"),
        ({"time_zone": "../../etc/passwd"}, "/time_zone"),
        ({"kind": "os.system"}, "/kind"),
        ({"kind": "lab.ours"}, "/kind"),
        ({"kind": "students.generate"}, "/kind"),
        ({"kind": "test.steps", "params": {"steps": 0}}, "/params/steps"),
        ({"misfire": "perhaps"}, "/misfire"),
    ],
)
def test_what_is_wrong_is_pointed_at_and_nothing_is_saved(operator, values, pointer):
    problem = refused("request.invalid", schedules.schedule_save, name="x", actor=operator, **{**EVERY, **values})
    assert problem.errors[0].pointer == pointer and not JobSchedule.objects.filter(name="x").exists()


def test_names_are_taken_once_and_changes_need_something_to_change(schedule, operator):
    schedule()
    refused("conflict", schedules.schedule_save, name="minutely", actor=operator, new=True, **EVERY)
    refused("not_found", schedules.schedule_save, name="other", actor=operator, new=False, **EVERY)
    refused("request.invalid", schedules.schedule_save, name="a b", actor=operator, **EVERY)
    changed = schedules.schedule_save(name="minutely", actor=operator, every_seconds=30)
    assert changed.version == 2 and schedules.schedule_save(name="minutely", actor=operator).version == 2


def test_run_now_starts_one_job_however_often_it_is_pressed(schedule, operator):
    made = schedule()
    job = schedules.schedule_run_now(name="minutely", actor=operator)
    assert schedules.schedule_run_now(name="minutely", actor=operator) == job
    made.refresh_from_db()
    assert made.last_job == job and Job.objects.count() == 1
    schedules.schedule_remove(name="minutely", actor=operator)
    schedules.schedule_remove(name="minutely", actor=operator)
    assert Job.objects.count() == 1


def test_what_people_do_to_schedules_is_recorded(schedule, operator):
    schedule()
    schedules.schedule_run_now(name="minutely", actor=operator)
    schedules.schedule_remove(name="minutely", actor=operator)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT body::jsonb -> 'data' ->> 'action' FROM outbox WHERE type LIKE 'ochaq.ops.action%' ORDER BY id"
        )
        assert [action for (action,) in cursor.fetchall()] == ["schedule.saved", "schedule.run", "schedule.removed"]


def test_every_school_begins_with_the_hourly_sweep(django_db_setup):
    from importlib import import_module

    from django.apps import apps

    import_module("ochaq_web.jobs.migrations.0003_first_schedule").seed(apps, None)
    made = JobSchedule.objects.get(name="hourly-sweep")
    assert (made.kind, made.cron, made.enabled) == ("maintenance.sweep", "7 * * * *", True)


def test_the_next_times_of_a_timetable_in_the_making():
    found = schedules.next_times({"cron": "0 6 * * *", "time_zone": "Asia/Tashkent"}, 3)
    assert [moment.hour for moment in found] == [1, 1, 1] and found == sorted(set(found))


def test_the_door_fires_and_says_how_long_to_rest(schedule, service_client, api):
    schedule()
    worker = service_client("worker")
    answer = worker.post("/internal/v1/schedules/tick", {}).json()
    assert [one["schedule"] for one in answer["fired"]] == ["minutely"] and 0 <= answer["next_in_seconds"] <= 60
    assert worker.post("/internal/v1/schedules/tick", {}).json()["fired"] == []
    assert api("operator").post("/internal/v1/schedules/tick", {}).status_code in (401, 403)
    assert api().post("/internal/v1/schedules/tick", {}).status_code == 401
    assert worker.get("/internal/v1/schedules/tick").status_code == 405


def expected_slots(began, ended):
    """Slots of a schedule of one a second that were due for sure between two moments."""
    first = int(began.timestamp()) + 2
    return {datetime.fromtimestamp(second, UTC) for second in range(first, int(ended.timestamp()))}


@pytest.mark.django_db(transaction=True)
def test_many_schedulers_together_fire_each_slot_once(operator):
    began = timezone.now()
    for name in ("one", "two"):
        schedules.schedule_save(name=name, actor=operator, **{**EVERY, "every_seconds": 1})
    stop = threading.Event()
    failures = []

    def hammer():
        try:
            while not stop.is_set():
                schedules.schedules_fire()
        except BaseException as error:  # shown by the assertion below
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(4)
    ended = timezone.now()
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    for name in ("one", "two"):
        fired = list(JobScheduleSlot.objects.filter(schedule__name=name).order_by("slot"))
        moments = [slot.slot for slot in fired]
        assert len(moments) == len(set(moments)) and expected_slots(began, ended) <= set(moments)
        # The first job is never finished, so every later slot overlaps: one job for each schedule, whoever fired it.
        assert [slot.outcome for slot in fired] == ["started"] + ["overlapped"] * (len(fired) - 1)
    assert Job.objects.count() == 2


SCHEDULER = """
import django, sys, time
django.setup()
from ochaq_web.jobs.schedules import schedules_fire
print("ready", flush=True)
while True:
    schedules_fire()
    time.sleep(0.02)
"""


@pytest.mark.django_db(transaction=True)
def test_of_two_scheduler_processes_one_may_be_killed_at_any_moment(operator, process_environment):
    environment = {**process_environment, "DJANGO_SETTINGS_MODULE": "ochaq_web.config.settings"}
    command = [sys.executable, "-c", SCHEDULER]
    processes = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        began = timezone.now()
        schedules.schedule_save(name="one", actor=operator, **{**EVERY, "every_seconds": 1})
        time.sleep(1.3)
        processes[0].kill()
        time.sleep(2.7)
        ended = timezone.now()
    finally:
        for process in processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
    fired = [slot.slot for slot in JobScheduleSlot.objects.all()]
    assert len(fired) == len(set(fired)) and expected_slots(began, ended) <= set(fired)
    assert Job.objects.count() == 1
