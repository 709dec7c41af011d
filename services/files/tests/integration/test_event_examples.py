"""Every event type of files', told by the real processes, looks like its golden example; the examples it reads are
handled."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from event_examples import assert_like_the_example, deliveries, owned_by
from ochaq_files.consumers import CONSUMER, EngineWork, handlers
from ochaq_files.storage.database import sync_engine
from ochaq_shared.bus import topology
from ochaq_shared.bus.inbox import InboxProcessor

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + b"\x08\x02\0\0\0"
Client = httpx.Client


@pytest.fixture(scope="module")
def running(house: Any, serve: Any) -> None:
    house.start("relay")
    house.start("consume")


def uploaded(client: Client, content: bytes = PNG) -> str:
    answer = client.post("/api/v1/files/", files={"file": ("menemen.png", content)}, data={"folder": "kitchen/2026"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def told(house: Any, file_id: str, name: str) -> dict[str, Any] | None:
    found = [event for event in house.events() if (event["subject"], event["type"]) == (file_id, name)]
    return found[-1] if found else None


def broken(client: Client) -> str:
    return uploaded(client, PNG[:10])


def renamed(client: Client) -> str:
    file_id = uploaded(client)
    assert client.patch(f"/api/v1/files/{file_id}", json={"name": f"{file_id}.png"}).status_code == 200
    return file_id


def removed(client: Client) -> str:
    file_id = uploaded(client)
    assert client.delete(f"/api/v1/files/{file_id}").status_code == 204
    return file_id


STORIES: dict[str, Callable[[Client], str]] = {
    "ochaq.files.file.uploaded.v1": uploaded,
    "ochaq.files.file.completed.v1": uploaded,
    "ochaq.files.file.failed.v1": broken,
    "ochaq.files.file.changed.v1": renamed,
    "ochaq.files.file.removed.v1": removed,
}


def test_every_type_of_files_has_its_story() -> None:
    assert set(STORIES) == set(owned_by("files"))


@pytest.mark.parametrize("name", STORIES)
def test_what_files_tells_looks_like_its_example(name: str, running: None, house: Any, client: Client) -> None:
    file_id = STORIES[name](client)
    assert_like_the_example(house.wait(lambda: told(house, file_id, name)))


def test_every_example_that_files_reads_is_handled_once_and_again(house: Any) -> None:
    engine = sync_engine(house.database_url)

    def unread(*_: Any) -> bytes:
        raise AssertionError("the example's file is not in this house, so there is nothing to read")

    work = EngineWork(engine)
    processor = InboxProcessor(CONSUMER, work, handlers(engine, work, unread))
    batch = list(deliveries(topology.FILES_EVENTS))
    try:
        for _ in range(2):
            assert [(outcome.acked, outcome.error) for outcome in processor.process(batch)] == [(True, "")] * len(batch)
    finally:
        engine.dispose()
