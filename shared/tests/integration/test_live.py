"""Live streams in a real Redis: numbers that only grow, events kept once, progress that never goes back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ochaq_shared import live
from redis import Redis


@pytest.fixture(scope="module")
def redis(servers: Any) -> Iterator[Redis]:
    with Redis.from_url(servers.redis_url(db=14)) as client:
        yield client


def event(name: str = "files.file.completed", event_id: str = "", **data: Any) -> live.LiveEvent:
    return live.LiveEvent(event_id or str(uuid.uuid4()), name, "2026-01-01T00:00:00.000Z", data)


def job(done: int, status: str = "running") -> dict[str, Any]:
    return {"id": "j", "kind": "k", "status": status, "progress": {"done": done, "total": 100}, "owner": "o"}


def stream() -> str:
    return live.personal(str(uuid.uuid4()))


def kept(redis: Redis, name: str) -> list[tuple[int, dict[str, Any]]]:
    found: Any = redis.xrange(live.stream_key(name))
    return [(int(number.split(b"-")[0]), orjson.loads(fields[b"d"])) for number, fields in found]


def test_ids_are_consecutive_and_safe_integers_for_javascript(redis: Redis) -> None:
    name = stream()
    numbers = live.append_many(redis, [(name, event()) for _ in range(20)])
    first = numbers[0]
    assert first is not None
    assert numbers == list(range(first, first + 20))
    assert first < 2**53
    assert [number for number, _ in kept(redis, name)] == numbers


def test_an_event_id_is_appended_once(redis: Redis) -> None:
    name, one = stream(), event()
    assert live.append(redis, name, one) is not None
    assert live.append(redis, name, one) is None
    assert len(kept(redis, name)) == 1


def test_a_stream_that_begins_anew_numbers_above_everything_before(redis: Redis) -> None:
    name = stream()
    for _ in range(5):
        before = live.append(redis, name, event())
        redis.delete(live.counter_key(name), live.base_key(name), live.stream_key(name))
        after = live.append(redis, name, event())
        assert before is not None and after is not None
        assert after > before


def test_a_counter_that_fell_behind_is_left_behind(redis: Redis) -> None:
    name = stream()
    seen = live.append_many(redis, [(name, event()) for _ in range(5)])[-1]
    assert seen is not None
    redis.set(live.counter_key(name), seen - 3)
    keys, args = live.open_call(name, seen)
    position: Any = redis.eval(live.OPEN_LUA, len(keys), *keys, *args)
    assert int(position) > seen
    following = live.append(redis, name, event())
    assert following is not None and following > int(position)


def test_a_stream_keeps_only_its_latest_events(redis: Redis) -> None:
    name = stream()
    live.append_many(redis, [(name, event()) for _ in range(1000)])
    assert live.PERSONAL_LENGTH <= len(kept(redis, name)) < 2 * live.PERSONAL_LENGTH + 100
    assert 0 < redis.pttl(live.stream_key(name)) <= live.STREAM_TTL_MS
    assert redis.pttl(live.counter_key(name)) > live.STREAM_TTL_MS


def test_data_arrives_as_it_was(redis: Redis) -> None:
    name = stream()
    data = {**job(7), "result": {}, "params": {"list": [], "large": 2**60, "text": 'çay \0 "x"', "float": 0.1}}
    live.append(redis, name, live.LiveEvent("1", "jobs.job.changed", "t", data))
    assert kept(redis, name)[0][1]["data"] == data


def test_after_the_end_of_a_job_no_tick_is_sent_until_it_is_started_again(redis: Redis) -> None:
    owner = str(uuid.uuid4())
    name = live.personal(owner)
    assert live.publish_progress(redis, owner, job(5)) is True
    live.append(redis, name, event("jobs.job.changed", **job(9, "failed")))
    assert live.publish_progress(redis, owner, job(50)) is False
    live.append(redis, name, event("jobs.job.changed", **job(0, "queued")))
    assert live.publish_progress(redis, owner, job(8)) is False
    assert live.publish_progress(redis, owner, job(9)) is True
    assert [body["data"]["progress"]["done"] for _, body in kept(redis, name)] == [9, 9]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 100)), min_size=1, max_size=30))
def test_progress_never_goes_back_in_any_order(redis: Redis, steps: list[tuple[bool, int]]) -> None:
    owner = str(uuid.uuid4())
    name = live.personal(owner)
    listening = redis.pubsub()
    listening.subscribe(live.channel(name))
    assert listening.get_message(timeout=5) is not None, "the subscription must stand before anything is published"
    for durable, done in steps:
        if durable:
            live.append(redis, name, event("jobs.job.changed", **job(done)))
        else:
            live.publish_progress(redis, owner, job(done))
    live.append(redis, name, event("jobs.job.changed", **job(0, "succeeded")))
    shown = []
    while not shown or shown[-1]["status"] != "succeeded":
        message: Any = listening.get_message(timeout=5)
        published = live.parse_published(message["data"])
        if published.stream == name:
            shown.append(orjson.loads(published.body)["data"])
    listening.close()
    numbers = [data["progress"]["done"] for data in shown]
    assert numbers == sorted(numbers)
    assert numbers[-1] == max(done for _, done in steps)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_states_shuffled_and_repeated_end_as_in_their_order_and_never_go_back(
    redis: Redis, data: st.DataObject
) -> None:
    name, statuses = stream(), ("queued", "running", "succeeded")
    history = [
        live.LiveEvent(str(uuid.uuid4()), f"{kind}.changed", "t", {"id": subject, "version": version}, version)
        for kind, subject in (("jobs.job", "a"), ("files.file", "b"))
        for version in range(1, 1 + data.draw(st.integers(1, 8)))
    ]
    for told in history:
        if told.name == "jobs.job.changed":
            version = told.version
            told.data.update(status=statuses[min(version // 3, 2)], progress={"done": version, "total": 9})  # type: ignore[attr-defined]
    mixed = data.draw(st.permutations(history * data.draw(st.integers(1, 5))))
    live.append_many(redis, [(name, told) for told in mixed])
    shown = [body["data"] for _, body in kept(redis, name)]
    for subject in ("a", "b"):
        versions = [state["version"] for state in shown if state["id"] == subject]
        assert versions == sorted(set(versions))
        last = [told for told in history if told.data["id"] == subject][-1]
        assert [state for state in shown if state["id"] == subject][-1] == last.data


def test_what_has_no_version_is_shown_in_any_order(redis: Redis) -> None:
    name = stream()
    live.append_many(redis, [(name, event("students.batch.created", job_id="j", last_id=n)) for n in (3, 1, 2)])
    assert [body["data"]["last_id"] for _, body in kept(redis, name)] == [3, 1, 2]


def test_a_progress_tick_needs_progress(redis: Redis) -> None:
    with pytest.raises(ValueError, match="progress"):
        live.publish_progress(redis, "o", {"id": "j", "progress": None})


@pytest.mark.parametrize("payload", [b"", b"x", b"s\0x\0b", b"s\0"])
def test_what_is_no_publication_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        live.parse_published(payload)
