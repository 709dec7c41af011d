"""What a socket hears: live, replayed, or plainly told that it is too late."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from ochaq_shared import live


def progress(done: int, total: int = 100) -> dict[str, int]:
    return {"done": done, "total": total}


async def test_the_user_topic_is_followed_without_asking(realtime: Any) -> None:
    user = realtime.someone()
    async with realtime.client(user) as client:
        await client.kind("welcome")
        number = realtime.append(user, id="j1", progress=progress(1))
        heard = await client.kind("event")
    assert (heard["topic"], heard["id"], heard["name"]) == ("user", number, "jobs.job.changed")
    assert heard["data"]["progress"] == {"done": 1, "total": 100}
    assert heard["time"].endswith("Z")


@pytest.mark.parametrize(("path", "topics"), [("/ws/", {"user"}), ("/ws/tasks/", {"user", "tasks"})])
async def test_who_never_asks_is_told_where_the_automatic_topics_begin(
    realtime: Any, path: str, topics: set[str]
) -> None:
    user = realtime.someone()
    async with realtime.client(user) as client:
        last = realtime.append(user, id="j", progress=progress(1))
        # What is still on its way to the process when the next socket opens would come after the answer.
        await client.until_heard(last)
    async with realtime.client(user, path=path) as client:
        answers = [await client.kind("subscribed") for _ in topics]
        assert {answer["topic"] for answer in answers} == topics
        assert [(answer["position"], answer["recovered"]) for answer in answers] == [(last, True)] * len(topics)
        live_one = realtime.append(user, id="j", progress=progress(9))
        await client.events(len(topics))
        await client.quiet()
    assert set(client.ids()) == {live_one}


async def test_what_came_before_the_automatic_answer_comes_after_it(realtime: Any) -> None:
    user = realtime.someone()
    async with realtime.client(user) as client:
        await client.kind("welcome")
        early = realtime.append(user, id="j", progress=progress(1))
        answer, heard = await client.next(), await client.next()
    assert (answer["type"], answer["position"], answer["recovered"]) == ("subscribed", early - 1, True)
    assert (heard["type"], heard["id"]) == ("event", early)


async def test_nobody_hears_somebody_elses_events(realtime: Any) -> None:
    mine, other = realtime.someone(), realtime.someone()
    async with realtime.client(mine) as client:
        await client.kind("welcome")
        realtime.append(other, id="j1", progress=progress(1))
        # Only the answer to the automatic subscription comes.
        assert (await client.next())["type"] == "subscribed"
        await client.quiet(0.5)


async def test_a_reconnecting_client_gets_everything_after_its_last_event_once(realtime: Any) -> None:
    user = realtime.someone()
    ids = [realtime.append(user, id="j", progress=progress(n)) for n in range(20)]
    async with realtime.client(user) as client:
        answer = await client.subscribe(after=ids[4])
        assert (answer["recovered"], answer["position"]) == (True, ids[-1])
        await client.events(15)
        more = realtime.append(user, id="j", progress=progress(50))
        await client.events(1)
        await client.quiet()
    assert client.ids() == [*ids[5:], more]


async def test_subscribing_again_repeats_nothing(realtime: Any) -> None:
    user = realtime.someone()
    first = realtime.append(user, id="j", progress=progress(0))
    async with realtime.client(user) as client:
        await client.subscribe(after=first)
        ids = [realtime.append(user, id="j", progress=progress(n)) for n in range(3)]
        await client.events(3)
        assert (await client.subscribe(after=first))["recovered"] is True
        assert (await client.subscribe())["position"] == ids[-1]
        await client.quiet()
    assert client.ids() == ids


async def test_a_late_subscriber_is_not_shown_twice_what_came_by_itself(realtime: Any) -> None:
    user = realtime.someone()
    old = [realtime.append(user, id="j", progress=progress(n)) for n in range(4)]
    async with realtime.client(user) as client:
        await client.kind("welcome")
        await asyncio.sleep(1.1)
        live_one = realtime.append(user, id="j", progress=progress(9))
        await client.until_heard(live_one)
        await client.subscribe(after=old[0])
        await client.until_heard(*old[1:], live_one)
        await client.quiet()
    assert sorted(client.ids()) == [*old[1:], live_one]
    assert len(set(client.ids())) == len(client.ids())


async def test_events_before_an_early_subscribe_come_after_its_answer_and_in_order(realtime: Any) -> None:
    user = realtime.someone()
    old = [realtime.append(user, id="j", progress=progress(n)) for n in range(4)]
    async with realtime.client(user) as client:
        await client.kind("welcome")
        between = realtime.append(user, id="j", progress=progress(9))
        await asyncio.sleep(0.2)
        await client.subscribe(after=old[0])
        await client.events(4)
        await client.quiet()
    assert client.ids() == [*old[1:], between]


async def test_an_unknown_position_is_not_recovered_and_its_answer_says_where_to_go_on(realtime: Any) -> None:
    user = realtime.someone()
    ids = [realtime.append(user, id="j", progress=progress(n)) for n in range(3)]
    for wrong in (0, 5, ids[0] - 10, ids[-1] + 10**6):
        async with realtime.client(user) as client:
            answer = await client.subscribe(after=wrong)
            assert answer["recovered"] is False
            assert answer["position"] >= ids[-1]
            number = realtime.append(user, id="j", progress=progress(5))
            heard = await client.kind("event")
            assert heard["id"] == number > answer["position"]


async def test_history_that_was_trimmed_away_is_not_recovered(realtime: Any) -> None:
    user = realtime.someone()
    # Redis trims by whole nodes of a hundred entries, so somewhat more than the length may be kept.
    many = range(2 * live.PERSONAL_LENGTH + 500)
    ids = live.append_many(
        realtime.redis, [(live.personal(user), realtime.event("files.file.completed", id=str(n))) for n in many]
    )
    async with realtime.client(user) as client:
        assert (await client.subscribe(after=ids[0]))["recovered"] is False
    async with realtime.client(user) as client:
        assert (await client.subscribe(after=ids[-50]))["recovered"] is True
        await client.events(49)
    assert client.ids() == ids[-49:]


async def test_progress_never_goes_back_whatever_order_it_arrives_in(realtime: Any) -> None:
    user, rng = realtime.someone(), random.Random(7)
    steps = [rng.randrange(100) for _ in range(60)]
    async with realtime.client(user) as client:
        await client.subscribe()
        for n, done in enumerate(steps):
            job = {
                "id": "j",
                "kind": "k",
                "status": "running",
                "progress": progress(done),
                "result": None,
                "error": None,
            }
            if n % 5 == 0:
                realtime.append(user, **job)
            else:
                live.publish_progress(realtime.redis, user, job)
        realtime.append(user, id="j", status="succeeded", progress=progress(100))
        live.publish_progress(realtime.redis, user, {**job, "progress": progress(100)})
        await client.until(lambda m: m["type"] == "event" and m["data"]["status"] == "succeeded")
        await client.quiet()
    shown = [m["data"]["progress"]["done"] for m in client.seen if m["type"] == "event"]
    assert shown == sorted(shown)
    assert len(set(shown)) > 3
    ticks = [m for m in client.seen if m.get("name") == "jobs.job.progressed"]
    assert ticks and all(tick["id"] is None for tick in ticks)


async def test_the_task_address_follows_only_job_events_under_its_topic(realtime: Any) -> None:
    user = realtime.someone()
    for path in ("/ws/task/", "/ws/tasks/"):
        async with realtime.client(user, path=path) as client:
            await client.kind("welcome")
            await asyncio.sleep(1.1)
            realtime.append(user, "files.file.completed", id="f")
            job = realtime.append(user, id="j", progress=progress(1))
            heard = await client.events(3)
        assert [(m["topic"], m["name"]) for m in heard if m["topic"] == "tasks"] == [("tasks", "jobs.job.changed")]
        assert {m["id"] for m in heard if m["topic"] == "tasks"} == {job}


async def test_students_are_for_staff(realtime: Any) -> None:
    async with realtime.client(realtime.someone(), "student") as client:
        answer = await client.subscribe("students")
        assert (answer["type"], answer["status"], answer["code"]) == ("problem", 403, "auth.forbidden")
    for role in ("instructor", "manager"):
        async with realtime.client(realtime.someone(), role) as client:
            assert (await client.subscribe("students"))["type"] == "subscribed"
            number = live.append(
                realtime.redis, live.STUDENTS, realtime.event("students.batch.created", first_id=1, last_id=9)
            )
            heard = await client.kind("event")
            assert (heard["topic"], heard["id"], heard["data"]["last_id"]) == ("students", number, 9)


async def test_after_unsubscribing_it_is_quiet_and_one_can_come_back(realtime: Any) -> None:
    user = realtime.someone()
    async with realtime.client(user) as client:
        position = (await client.subscribe())["position"]
        await client.send(type="unsubscribe", topic="user")
        await client.send(type="ping")
        await client.kind("pong")
        number = realtime.append(user, id="j", progress=progress(1))
        await client.quiet()
        await client.subscribe(after=position)
        await client.events(1)
    assert client.ids() == [number]


async def test_an_event_appended_twice_is_heard_once(realtime: Any) -> None:
    user = realtime.someone()
    async with realtime.client(user) as client:
        await client.subscribe()
        twice = realtime.event("files.file.completed", id="f")
        for _ in range(3):
            live.append(realtime.redis, live.personal(user), twice)
        await client.events(1)
        await client.quiet()
