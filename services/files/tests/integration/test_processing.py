"""From the upload's event to the settled status, through the real relay, RabbitMQ and consumer."""

from __future__ import annotations

import os
import struct
from typing import Any

import httpx
import pytest

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + b"\x08\x02\0\0\0"


@pytest.fixture(scope="module")
def running(house: Any, serve: Any) -> None:
    house.start("relay")
    house.start("consume")


def upload(client: httpx.Client, name: str, content: bytes) -> dict[str, Any]:
    body: dict[str, Any] = client.post("/api/v1/files/", files={"file": (name, content)}).json()
    return body


def settled(house: Any, client: httpx.Client, file_id: str) -> dict[str, Any]:
    def done() -> dict[str, Any] | None:
        body: dict[str, Any] = client.get(f"/api/v1/files/{file_id}").json()
        return body if body["status"] in {"completed", "failed"} else None

    found: dict[str, Any] = house.wait(done)
    return found


def types_of(house: Any, file_id: str) -> list[tuple[str, int]]:
    return [(event["type"], event["version"]) for event in house.events() if event["subject"] == file_id]


def test_an_upload_is_completed_with_what_it_is(running: None, house: Any, client: httpx.Client, person: str) -> None:
    picture = settled(house, client, upload(client, "plate.bin", PNG)["id"])
    assert (picture["status"], picture["kind"], picture["media_type"]) == ("completed", "image", "image/png")
    assert picture["metadata"] == {"width": 640, "height": 480}
    assert types_of(house, picture["id"]) == [("ochaq.files.file.uploaded.v1", 1), ("ochaq.files.file.completed.v1", 2)]
    (last,) = [event for event in house.events() if event["subject"] == picture["id"]][1:]
    assert (last["data"]["owner"], last["data"]["kind"], last["data"]["status"]) == (person, "image", "completed")


def test_text_is_counted_and_refined_by_its_extension(running: None, house: Any, client: httpx.Client) -> None:
    text = settled(house, client, upload(client, "list.csv", b"a,b\n1,2\n")["id"])
    assert (text["kind"], text["media_type"], text["metadata"]["lines"]) == ("text", "text/csv", 2)


def test_a_damaged_picture_fails_with_a_reason_for_people(running: None, house: Any, client: httpx.Client) -> None:
    picture = settled(house, client, upload(client, "plate.png", PNG[:10] + os.urandom(20))["id"])
    assert (picture["status"], picture["failure"]) == ("failed", "The picture's header is cut off or damaged.")
    assert types_of(house, picture["id"])[-1] == ("ochaq.files.file.failed.v1", 2)


def test_an_empty_file_is_completed(running: None, house: Any, client: httpx.Client) -> None:
    assert settled(house, client, upload(client, "empty", b"")["id"])["status"] == "completed"


def test_a_new_version_is_processed_anew(running: None, house: Any, client: httpx.Client) -> None:
    first = settled(house, client, upload(client, "thing", b"words")["id"])
    assert first["kind"] == "text"
    again = upload(client, "thing", PNG + os.urandom(5))
    assert (again["id"], again["status"]) == (first["id"], "pending")
    assert settled(house, client, first["id"])["kind"] == "image"
    assert [version for _, version in types_of(house, first["id"])] == [1, 2, 3, 4]


def test_a_missing_object_fails_its_file(running: None, house: Any, client: httpx.Client) -> None:
    file = settled(house, client, upload(client, "a.bin", os.urandom(50))["id"])
    (house.directory / "objects" / house.objects_of(file["sha256"])[0]).unlink()
    house.execute(
        "UPDATE file SET status = 'processing', status_at = now() - interval '1 hour' WHERE id = %s", file["id"]
    )
    assert settled(house, client, file["id"])["failure"] == "The stored content is missing or damaged."


def test_a_file_whose_event_was_lost_is_processed_by_the_sweep(running: None, house: Any, client: httpx.Client) -> None:
    file = settled(house, client, upload(client, "a.txt", b"lost and found")["id"])
    house.execute(
        "UPDATE file SET status = 'pending', kind = 'other', status_at = now() - interval '1 hour' WHERE id = %s",
        file["id"],
    )
    assert settled(house, client, file["id"])["kind"] == "text"


@pytest.mark.parametrize("kills", [2, pytest.param(8, marks=[pytest.mark.long, pytest.mark.timeout(400)])])
def test_the_consumer_killed_again_and_again_settles_every_file_once(
    house: Any, client: httpx.Client, running: None, kills: int
) -> None:
    files = []
    for round_ in range(kills):
        extra = house.start("consume")
        files += [upload(client, f"{round_}-{index}.txt", f"{round_} {index}".encode())["id"] for index in range(10)]
        extra.kill()
    for file_id in files:
        assert settled(house, client, file_id)["kind"] == "text"
        assert types_of(house, file_id) == [("ochaq.files.file.uploaded.v1", 1), ("ochaq.files.file.completed.v1", 2)]
