"""Schedules: jobs that start by themselves. PostgreSQL keeps them and says which slots were fired.

Anybody may call `schedules_fire` at any time, from any number of processes: the row lock lets one of them at a
schedule, and the slot's unique row outlives them all. Why: docs/decisions/0012.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import IntegrityError, connection, transaction
from django.db.models import Min, Q
from ochaq_shared import outbox
from ochaq_shared.events.ops import ActionTaken
from ochaq_shared.ids import uuid7
from ochaq_shared.problems import FieldError, Problem

from ochaq_web.core.policy import allows
from ochaq_web.jobs.kinds import kind_startable, params_of
from ochaq_web.jobs.models import LIVE, Job, JobSchedule, JobScheduleSlot, Misfire, Outcome
from ochaq_web.jobs.services import job_enqueue
from ochaq_web.jobs.timetable import Timetable, timetable_of

log = structlog.get_logger(__name__)

AT_ONCE = 100
# A slot fired later than this was missed: nobody could fire it when its time came.
LATE_SECONDS = 60
REST_SECONDS = 60.0
SLOTS_KEPT_DAYS = 90

FIELDS = ("title", "kind", "params", "cron", "every_seconds", "time_zone", "misfire", "enabled")


def schedule_save(*, name: str, actor: Any, new: bool | None = None, **values: Any) -> JobSchedule:
    """Make a schedule or change it; `new` says which of both it must be. `values` are some of `FIELDS`.

    422 with a pointer to each field that is wrong, 409 when a new one's name is taken, 404 when there is none to
    change.
    """
    with transaction.atomic():
        known = JobSchedule.objects.select_for_update().filter(name=name).first()
        if known is not None and new:
            raise Problem("conflict", errors=[FieldError("/name", "taken", "There is a schedule of this name.")])
        if known is None and new is False:
            raise Problem("not_found")
        schedule = known or JobSchedule(name=_slug(name), owner=actor, version=0)
        before = {field: getattr(schedule, field) for field in FIELDS}
        _change(schedule, values, actor, is_new=known is None)
        changed = [field for field in FIELDS if getattr(schedule, field) != before[field]]
        if known is not None and not changed:
            return schedule
        schedule.version += 1
        schedule.save()
        _tell("schedule.saved", actor, name, f"{'made' if known is None else 'changed'}: {', '.join(changed)}")
    return schedule


def schedule_check(*, name: str, actor: Any, **values: Any) -> None:
    """Raise what `schedule_save` would raise about these values, and save nothing."""
    known = JobSchedule.objects.filter(name=name).first()
    _change(known or JobSchedule(name=_slug(name)), values, actor, is_new=known is None)


def schedule_remove(*, name: str, actor: Any) -> None:
    """Remove a schedule; its jobs stay. One that is gone already is gone."""
    with transaction.atomic():
        gone, _ = JobSchedule.objects.filter(name=name).delete()
        if gone:
            _tell("schedule.removed", actor, name, "removed")


def schedule_run_now(*, name: str, actor: Any) -> Job:
    """Start the schedule's job now, whatever its timetable says. While its last one is at work, that is the answer."""
    with transaction.atomic():
        schedule = JobSchedule.objects.select_for_update().filter(name=name).first()
        if schedule is None:
            raise Problem("not_found")
        if (live := _live_job(schedule)) is not None:
            return live
        job = job_enqueue(kind=schedule.kind, params=schedule.params, owner=actor, reason=f"schedule {name}, run now")
        JobSchedule.objects.filter(pk=schedule.pk).update(last_job=job)
        _tell("schedule.run", actor, name, f"job {job.id}")
    return job


def next_times(values: Mapping[str, Any], count: int) -> list[datetime]:
    """The next slots of a timetable somebody is writing; 422 with pointers where it is none."""
    timetable, moment = timetable_of(values), _now()
    return [moment := timetable.after(moment) for _ in range(count)]


def schedules_fire() -> dict[str, Any]:
    """Start what is due: `{"fired": [{"schedule", "slot", "job"}], "next_in_seconds"}`. Call it every second or so."""
    now = _now()
    due = JobSchedule.objects.filter(Q(next_at__isnull=True) | Q(next_at__lte=now), enabled=True)
    fired = []
    for pk in list(due.order_by("next_at").values_list("pk", flat=True)[:AT_ONCE]):
        with transaction.atomic():
            # Another scheduler may be at it, or have been: then there is nothing left to do.
            held = due.filter(pk=pk).select_for_update(skip_locked=True).first()
            if held is not None and (slot := _fire(held, now)) is not None:
                fired.append({"schedule": held.name, "slot": slot.slot.isoformat(), "job": slot.job_id})
    return {"fired": [one for one in fired if one["job"]], "next_in_seconds": _rest(now)}


def slots_forget() -> int:
    """Drop the slots of long ago; the unique row is needed only while somebody might still fire the slot."""
    gone, _ = JobScheduleSlot.objects.filter(fired_at__lt=_now() - timedelta(days=SLOTS_KEPT_DAYS)).delete()
    return gone


def _change(schedule: JobSchedule, values: Mapping[str, Any], actor: Any, *, is_new: bool) -> None:
    unknown = sorted(set(values) - set(FIELDS))
    if unknown:
        raise TypeError(f"a schedule has no {', '.join(unknown)}")
    old = (schedule.kind, schedule.params)
    for field, value in values.items():
        setattr(schedule, field, value)
    timetable = timetable_of({field: getattr(schedule, field) for field in FIELDS})
    schedule.cron = timetable.cron
    if schedule.misfire not in Misfire.values:
        raise _wrong("/misfire", "unknown", f"One of: {', '.join(Misfire.values)}.")
    if is_new or old != (schedule.kind, schedule.params):
        kind = kind_startable(schedule.kind)
        # A schedule must not be a way to start what one may not start oneself.
        if not (allows(actor, kind.act) or getattr(actor, "is_superuser", False)):
            raise _wrong("/kind", "forbidden", "You may not start this kind.")
        params_of(kind, schedule.params)
    # Slots between now and an earlier `next_at` were never promised by the new timetable.
    schedule.next_at = timetable.after(_now()) if schedule.enabled else None


def _fire(schedule: JobSchedule, now: datetime) -> JobScheduleSlot | None:
    """Fire the schedule's last due slot, once; answers what came of it."""
    timetable = Timetable(schedule.cron, schedule.every_seconds, schedule.time_zone)
    first, schedule.next_at = schedule.next_at, timetable.after(now)
    slot = None
    if first is not None:
        moment, missed = timetable.latest(first, now)
        slot = _record(schedule, moment, missed, now)
    if slot is not None:
        schedule.last_slot, schedule.last_job = slot.slot, slot.job or schedule.last_job
    schedule.save(update_fields=["next_at", "last_slot", "last_job"])
    return slot


def _record(schedule: JobSchedule, moment: datetime, missed: int, now: datetime) -> JobScheduleSlot | None:
    try:
        with transaction.atomic():
            slot = JobScheduleSlot.objects.create(schedule=schedule, slot=moment, missed=missed)
    except IntegrityError:
        return None  # fired before: somebody changed the timetable, or the clock
    slot.outcome, slot.job = _start(schedule, moment, now)
    slot.save(update_fields=["outcome", "job"])
    log.info(
        "schedule_fired", schedule=schedule.name, slot=moment.isoformat(), outcome=str(slot.outcome), missed=missed
    )
    return slot


def _start(schedule: JobSchedule, moment: datetime, now: datetime) -> tuple[Outcome, Job | None]:
    if schedule.misfire == Misfire.SKIP and now - moment > timedelta(seconds=LATE_SECONDS):
        return Outcome.MISSED, None
    if _live_job(schedule) is not None:
        return Outcome.OVERLAPPED, None
    try:
        job = job_enqueue(
            kind=schedule.kind, params=schedule.params, owner=schedule.owner, actor=f"schedule:{schedule.name}"
        )
    except Problem as problem:
        log.error("schedule_refused", schedule=schedule.name, code=problem.code)
        return Outcome.REFUSED, None
    return Outcome.STARTED, job


def _live_job(schedule: JobSchedule) -> Job | None:
    return Job.objects.filter(pk=schedule.last_job_id, status__in=LIVE).first() if schedule.last_job_id else None


def _rest(now: datetime) -> float:
    following = JobSchedule.objects.filter(enabled=True).aggregate(at=Min("next_at"))["at"]
    return REST_SECONDS if following is None else min(max(0.0, (following - now).total_seconds()), REST_SECONDS)


def _now() -> datetime:
    """The database's clock: the schedulers' own may differ."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def _slug(name: str) -> str:
    if not re.fullmatch(r"[-a-zA-Z0-9_]{1,64}", name):
        raise _wrong("/name", "invalid", "At most 64 letters, digits, hyphens and underscores.")
    return name


def _wrong(pointer: str, code: str, detail: str) -> Problem:
    return Problem("request.invalid", errors=[FieldError(pointer, code, detail)])


def _tell(action: str, actor: Any, name: str, outcome: str) -> None:
    """For the record of what people did, which the ops app keeps."""
    number = uuid7()
    fact = ActionTaken(
        id=number,
        action=action,
        actor=str(actor.pk),
        via="page",
        reason="",
        targets=[name],
        status="done",
        outcome=outcome,
    )
    outbox.emit(connection, fact, subject=number, version=2)
