"""How times look in the API."""

from datetime import UTC, datetime, timedelta, timezone

from ochaq_web.core.rendering import HouseJSON


def test_times_are_written_in_utc_with_milliseconds_and_a_z():
    istanbul = timezone(timedelta(hours=3))
    rendered = HouseJSON().render(
        {"a": datetime(2026, 11, 21, 13, 0, tzinfo=istanbul), "b": datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)}
    )
    assert rendered == b'{"a":"2026-11-21T10:00:00.000Z","b":"2026-01-02T03:04:05.678Z"}'
