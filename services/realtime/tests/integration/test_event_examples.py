"""The examples of everything the projector reads reach the streams of those they are for, once."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
import pytest
import redis
from event_examples import MINOR, delivered, deliveries
from ochaq_realtime.consumers import Projection
from ochaq_realtime.projector import placed
from ochaq_shared import live
from ochaq_shared.bus import topology
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.catalogue import PERSONAL, SHARED, EventType, types_of

KNOWN = types_of(topology.REALTIME_PROJECT)


@pytest.fixture
def projection(servers: Any) -> Any:
    with redis.Redis.from_url(servers.redis_url(db=10)) as client:
        yield client, Projection(client, lambda: None)


def kept(client: redis.Redis, stream: str) -> list[dict[str, Any]]:
    return [orjson.loads(fields[b"d"]) for _, fields in client.xrange(live.stream_key(stream))]


def test_every_example_that_realtime_reads_is_handled_once_and_again(projection: Any) -> None:
    _, projector = projection
    batch = list(deliveries(topology.REALTIME_PROJECT))
    for _ in range(2):
        assert [(outcome.acked, outcome.error) for outcome in projector.process(batch)] == [(True, "")] * len(batch)


@pytest.mark.parametrize("row", [row for row in KNOWN if "owner" in row.model.model_fields], ids=lambda row: row.type)
def test_an_owners_event_is_in_the_owners_stream_as_it_was_told(projection: Any, row: EventType) -> None:
    client, projector = projection
    owner, golden = str(uuid.uuid4()), row.example
    mine = delivered(row, id=str(uuid.uuid4()), data={**golden["data"], "owner": owner})
    projector.process([mine, mine])
    (frame,) = kept(client, live.personal(owner))
    assert frame == {"name": row.name, "time": golden["time"], "data": {**golden["data"], "owner": owner}}
    assert not set(MINOR) & set(frame), "attributes of the envelope are not a browser's concern"


@pytest.mark.parametrize("row", [row for row in KNOWN if ".students." in row.type], ids=lambda row: row.type)
def test_a_students_event_is_in_the_students_stream_as_it_was_told(projection: Any, row: EventType) -> None:
    client, projector = projection
    client.delete(live.stream_key(live.STUDENTS))
    one = delivered(row, id=str(uuid.uuid4()))
    projector.process([one, one])
    assert [(frame["name"], frame["data"]) for frame in kept(client, live.STUDENTS)] == [
        (row.name, row.example["data"])
    ]


@pytest.mark.parametrize("row", KNOWN, ids=lambda row: row.type)
def test_the_catalogue_says_in_which_stream_an_event_is_found_again(row: EventType) -> None:
    streams = [stream for stream, _ in placed(CloudEvent.model_validate(row.example))]
    wanted = {"": [], SHARED: [live.STUDENTS], PERSONAL: [live.personal(str(row.example["data"].get("owner")))]}
    assert streams == wanted[row.stream]


def test_a_revoked_session_is_told_to_every_process(projection: Any) -> None:
    client, projector = projection
    (row,) = [row for row in KNOWN if row.name == "accounts.session.revoked"]
    with client.pubsub() as heard:
        heard.subscribe(live.CONTROL_CHANNEL)
        heard.get_message(timeout=1)
        projector.process([delivered(row, id=str(uuid.uuid4()))])
        message = heard.get_message(timeout=5)
    assert message and row.example["data"]["user_id"].encode() in message["data"]
