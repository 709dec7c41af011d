"""Slots when the clocks change: the missing hour, the doubled hour, and the steady ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ochaq_web.jobs.timetable import Timetable

BERLIN = "Europe/Berlin"  # forward on 2026-03-29 at 01:00 UTC, back on 2026-10-25 at 01:00 UTC


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slots(cron, zone, start, end):
    """All slots between two moments, as times of the day in UTC."""
    timetable, moment, found = Timetable(cron, None, zone), at(start), []
    while (moment := timetable.after(moment)) <= at(end):
        found.append(f"{moment:%d %H:%M}")
    return found


def test_a_time_in_the_missing_hour_fires_once_right_after_it():
    assert slots("30 2 * * *", BERLIN, "2026-03-28T00:00", "2026-03-30T23:59") == ["28 01:30", "29 01:00", "30 00:30"]


def test_a_time_in_the_doubled_hour_fires_once():
    assert slots("30 2 * * *", BERLIN, "2026-10-24T00:00", "2026-10-26T23:59") == ["24 00:30", "25 00:30", "26 01:30"]


def test_every_hour_means_every_hour_that_passes():
    assert slots("7 * * * *", BERLIN, "2026-03-28T23:30", "2026-03-29T03:00") == ["29 00:07", "29 01:07", "29 02:07"]
    assert len(slots("7 * * * *", BERLIN, "2026-10-24T22:00", "2026-10-25T22:59")) == 25


def test_a_daily_time_stays_where_the_clock_on_the_wall_has_it():
    found = slots("0 6 * * *", BERLIN, "2026-03-28T00:00", "2026-03-29T23:59")
    assert found == ["28 05:00", "29 04:00"]


def test_zones_with_odd_offsets_and_changes_of_half_an_hour():
    found = slots("15 2 * * *", "Australia/Lord_Howe", "2026-04-03T00:00", "2026-04-05T23:59")
    assert found == ["03 15:15", "04 15:45", "05 15:45"]


def test_every_so_many_seconds_is_the_same_for_every_scheduler():
    timetable = Timetable("", 90, "UTC")
    first = timetable.after(at("2026-01-01T00:00:10"))
    assert first == at("2026-01-01T00:01:30") == timetable.after(first - timedelta(microseconds=1))
    assert timetable.after(first) == first + timedelta(seconds=90)


@pytest.mark.parametrize("timetable", [Timetable("*/5 * * * *", None, BERLIN), Timetable("", 300, "UTC")])
def test_the_latest_slot_and_how_many_were_missed_before_it(timetable):
    first = at("2026-10-24T22:00")
    assert timetable.latest(first, first) == (first, 0)
    assert timetable.latest(first, first + timedelta(minutes=4)) == (first, 0)
    assert timetable.latest(first, at("2026-10-25T03:02")) == (at("2026-10-25T03:00"), 60)


def test_years_of_darkness_end_at_the_right_slot_and_are_not_counted_to_the_last():
    first = at("2020-01-01T00:00")
    slot, missed = Timetable("* * * * *", None, "UTC").latest(first, at("2026-01-01T00:00:30"))
    assert slot == at("2026-01-01T00:00") and missed == 10_000
