"""From RabbitMQ to the socket: the projector places each event once, waits for Redis, and parks only poison."""

from __future__ import annotations

import time
from itertools import count
from random import Random
from typing import Any

import orjson
import pytest
from ochaq_shared import live
from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import close, connect
from ochaq_shared.bus.publisher import Message, Publisher
from ochaq_shared.events import CloudEvent, Fact
from ochaq_shared.events.accounts import SessionRevoked
from ochaq_shared.events.files import FileCompleted
from ochaq_shared.events.jobs import JobChanged, Progress
from ochaq_shared.events.students import StudentRemoved, StudentsBatchCreated


def job(owner: str, done: int = 0, status: str = "running") -> JobChanged:
    progress = Progress(done=done, total=10)
    more = {"result": None, "error": None, "attempt": 1, "params": {"tags": [], "count": 10**12}}
    return JobChanged(id="j1", kind="students.generate", status=status, progress=progress, owner=owner, **more)


def file(owner: str) -> FileCompleted:
    more = {"size": 1, "sha256": "0", "media_type": "text/plain", "kind": "text", "failure": None}
    return FileCompleted(id="f1", owner=owner, name="a", folder="", status="completed", **more)


@pytest.fixture(scope="module")
def bus(servers: Any) -> Any:
    return Bus(servers.amqp_url())


@pytest.fixture
def rnd() -> Random:
    return Random(20261121)


class Bus:
    def __init__(self, url: str) -> None:
        self.url = url
        connection = connect(url)
        topology.declare(connection.channel())
        close(connection)
        self._publisher = Publisher(url)
        self._versions = count(1)

    def emit(self, *facts: Fact, times: int = 1) -> list[CloudEvent]:
        events = [CloudEvent.of(fact, subject="s", version=next(self._versions)) for fact in facts]
        for _ in range(times):
            self.send(*[(event.type, event.encode()) for event in events])
        return events

    def send(self, *bodies: tuple[str, bytes]) -> None:
        messages = [Message(str(n), "ochaq.events", key, body) for n, (key, body) in enumerate(bodies)]
        assert not any(self._publisher.publish(messages))
        self._publisher.close()

    def depth(self, queue: str) -> int:
        connection = connect(self.url)
        try:
            return topology.depth(connection.channel(), queue)[0]
        finally:
            close(connection)


def eventually(holds: Any, patience: float = 15) -> None:
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def kept(redis: Any, stream: str) -> list[dict[str, Any]]:
    return [orjson.loads(fields[b"d"]) for _, fields in redis.xrange(live.stream_key(stream))]


@pytest.fixture(scope="module")
def redis_url(servers: Any) -> str:
    return str(servers.redis_url(db=13))


@pytest.fixture(scope="module")
def consume(start: Any, redis_url: str, bus: Any) -> Any:
    """One projector for all tests but those that take its Redis away; each test has people of its own."""
    return start(redis_url, "consume", OCHAQ_AMQP_URL=bus.url)


async def test_events_reach_the_sockets_of_those_they_are_for(
    start: Any, redis_url: str, consume: Any, bus: Any
) -> None:
    realtime = start(redis_url)
    user = realtime.someone()
    async with realtime.client(user, "manager", session="s9") as client:
        await client.subscribe("students")
        await client.subscribe("user")
        batch = StudentsBatchCreated(first_id=1, last_id=9, count=9, job_id="j1")
        bus.emit(job(user), file(user), batch, StudentRemoved(id=4), job(realtime.someone()))
        heard = await client.events(4, 15)
        assert sorted((m["topic"], m["name"]) for m in heard) == [
            ("students", "students.batch.created"),
            ("students", "students.student.removed"),
            ("user", "files.file.completed"),
            ("user", "jobs.job.changed"),
        ]
        changed = next(m for m in heard if m["name"] == "jobs.job.changed")
        assert changed["data"]["params"] == {"tags": [], "count": 10**12}
        assert changed["data"]["status"] == "running"
        bus.emit(SessionRevoked(user_id=user, session="s9"))
        assert await client.close_code() == 4401


def test_an_event_delivered_again_is_kept_once(consume: Any, bus: Any) -> None:
    user = consume.someone()
    bus.emit(job(user, 1), job(user, 2), times=3)
    marker = consume.someone()
    bus.emit(file(marker))
    eventually(lambda: kept(consume.redis, live.personal(marker)))
    assert [e["data"]["progress"]["done"] for e in kept(consume.redis, live.personal(user))] == [1, 2]


def test_events_in_any_order_and_many_times_never_show_a_job_going_back(consume: Any, bus: Any, rnd: Random) -> None:
    user = consume.someone()
    states = [job(user, done) for done in range(9)] + [job(user, 9, "succeeded")]
    events = [CloudEvent.of(fact, subject="j1", version=number) for number, fact in enumerate(states, 1)] * 5
    rnd.shuffle(events)
    bus.send(*[(event.type, event.encode()) for event in events])
    marker = consume.someone()
    bus.emit(file(marker))
    eventually(lambda: kept(consume.redis, live.personal(marker)))
    shown = [e["data"] for e in kept(consume.redis, live.personal(user))]
    numbers = [data["progress"]["done"] for data in shown]
    assert numbers == sorted(set(numbers)), "each state at most once, none after a later one"
    assert (numbers[-1], shown[-1]["status"]) == (9, "succeeded")


def test_a_poison_message_parks_itself_and_not_its_neighbours(consume: Any, bus: Any) -> None:
    user = consume.someone()
    before = bus.depth(topology.DEAD_QUEUE)
    good = CloudEvent.of(job(user, 1), subject="s", version=1)
    wrong = good.model_copy(update={"id": "w", "data": {"id": "j"}})
    later = CloudEvent.of(job(user, 2), subject="s", version=2)
    bus.send(
        (good.type, good.encode()), (good.type, b"no json"), (good.type, wrong.encode()), (later.type, later.encode())
    )
    eventually(lambda: len(kept(consume.redis, live.personal(user))) == 2)
    eventually(lambda: bus.depth(topology.DEAD_QUEUE) > before)


@pytest.mark.slow
def test_an_outage_of_redis_loses_nothing_and_parks_nothing(start: Any, own_redis: Any, servers: Any) -> None:
    # A bus of its own: elsewhere another test's projector may be the single active consumer.
    bus = Bus(servers.amqp_url())
    consume = start(own_redis.url, "consume", OCHAQ_AMQP_URL=bus.url)
    user = consume.someone()
    dead = bus.depth(topology.DEAD_QUEUE)
    bus.emit(job(user, 1))
    eventually(lambda: len(kept(consume.redis, live.personal(user))) == 1)
    own_redis.kill()
    bus.emit(job(user, 2), job(user, 3))
    eventually(lambda: consume.get("/readyz").status_code == 503)
    time.sleep(1)  # for tries that fail
    own_redis.start()
    eventually(lambda: len(kept(consume.redis, live.personal(user))) == 2)
    assert [e["data"]["progress"]["done"] for e in kept(consume.redis, live.personal(user))] == [2, 3]
    assert bus.depth(topology.DEAD_QUEUE) == dead
