"""When a schedule's slots are: plain arithmetic, without the database and without a clock.

A cron expression means the wall clock of its time zone, as Debian's cron reads it when the clocks change (cronsim): a
time that the spring leaves out fires once, right after the gap; one that the autumn has twice fires once, the first
time. Expressions with a star for minute or hour go by elapsed time instead. "Every n seconds" counts from the Unix
epoch, so that every scheduler finds the same slots.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from ochaq_shared.problems import FieldError, Problem

MOST_SECONDS = 366 * 86_400
MOST_COUNTED = 10_000


@dataclass(frozen=True)
class Timetable:
    """Either `cron` or `every_seconds`, checked by `timetable_of`."""

    cron: str
    every_seconds: int | None
    time_zone: str

    def after(self, moment: datetime) -> datetime:
        """The first slot later than `moment`, in UTC."""
        if self.every_seconds is not None:
            step = timedelta(seconds=self.every_seconds)
            return _EPOCH + ((moment - _EPOCH) // step + 1) * step
        local = moment.astimezone(_zone(self.time_zone))
        return next(CronSim(self.cron, local)).astimezone(UTC)

    def latest(self, first: datetime, now: datetime) -> tuple[datetime, int]:
        """The last slot up to `now`, given a `first` one that is; and how many slots lie before it, from `first` on."""
        if self.every_seconds is not None:
            count = int((now - first) // timedelta(seconds=self.every_seconds))
            return first + timedelta(seconds=count * self.every_seconds), count
        slot, count = first, 0
        while count < MOST_COUNTED and (following := self.after(slot)) <= now:
            slot, count = following, count + 1
        # After years of darkness the exact number says nothing any more, but the slot has to be the last one.
        return (slot, count) if count < MOST_COUNTED else (self._before(now), count)

    def _before(self, now: datetime) -> datetime:
        local = (now + timedelta(seconds=1)).astimezone(_zone(self.time_zone))
        return next(CronSim(self.cron, local, reverse=True)).astimezone(UTC)


_EPOCH = datetime.fromtimestamp(0, UTC)


def timetable_of(values: Mapping[str, Any]) -> Timetable:
    """The timetable in a schedule's `cron`, `every_seconds` and `time_zone`; 422 with a pointer to what is wrong."""
    cron, every = str(values.get("cron") or "").strip(), values.get("every_seconds")
    zone = str(values.get("time_zone") or "UTC")
    errors = [*_zone_errors(zone), *_rhythm_errors(cron, every)]
    if not errors and cron:
        errors = _cron_errors(cron, zone)
    if errors:
        raise Problem("request.invalid", errors=errors)
    return Timetable(cron, every, zone)


def _zone_errors(zone: str) -> list[FieldError]:
    if zone in _zones():
        return []
    return [FieldError("/time_zone", "unknown", "The name of a time zone, such as Asia/Tashkent.")]


def _rhythm_errors(cron: str, every: Any) -> list[FieldError]:
    if cron and every is not None:
        return [FieldError("/every_seconds", "exclusive", "Either a cron expression or a number of seconds.")]
    if cron:
        return []
    if every is None:
        return [FieldError("/cron", "required", "A cron expression, or a number of seconds.")]
    if isinstance(every, bool) or not isinstance(every, int) or not 1 <= every <= MOST_SECONDS:
        return [FieldError("/every_seconds", "invalid", f"A whole number of seconds from 1 to {MOST_SECONDS}.")]
    return []


def _cron_errors(cron: str, zone: str) -> list[FieldError]:
    if len(cron.split()) != 5:
        return [FieldError("/cron", "invalid", "Five fields: minute, hour, day of the month, month, day of the week.")]
    try:
        next(CronSim(cron, datetime.now(_zone(zone))))
    except CronSimError as error:
        return [FieldError("/cron", "invalid", f"{error}.")]
    except StopIteration:
        return [FieldError("/cron", "never", "There is no such day.")]
    return []


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
