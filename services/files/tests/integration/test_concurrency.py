"""Equal uploads at once: one object, one row, one write, whichever store and however many processes."""

from __future__ import annotations

import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.slow

UPLOADS = 50


def upload_at_once(house: Any, processes: list[Any], people: list[str], content: bytes) -> list[httpx.Response]:
    """One upload per person, of the same content, all started at the same moment, each under a name of its own."""
    barrier = Barrier(len(people))

    def one(index: int) -> httpx.Response:
        with house.client(processes[index % len(processes)], people[index]) as client:
            barrier.wait()
            return client.post("/api/v1/files/", files={"file": (f"{index}.bin", content)}, data={"folder": "race"})

    with ThreadPoolExecutor(len(people)) as pool:
        return list(pool.map(one, range(len(people))))


def check_one(house: Any, sha256: str, files: int) -> None:
    blobs = house.rows("SELECT id, state FROM blob WHERE sha256 = %s", sha256)
    assert [blob["state"] for blob in blobs] == ["stored"]
    assert len(house.rows("SELECT 1 FROM file WHERE blob_id = %s", blobs[0]["id"])) == files


@pytest.mark.parametrize("size", [50_000, 3_000_000])
def test_fifty_equal_uploads_of_one_person_store_one_object(house: Any, serve: Any, person: str, size: int) -> None:
    second = house.start("serve")
    puts = house.puts(serve, second)
    answers = upload_at_once(house, [serve, second], [person] * UPLOADS, os.urandom(size))
    assert sorted(answer.status_code for answer in answers) == [200] * (UPLOADS - 1) + [201]
    (first,) = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert {answer.json()["duplicate_of"]["id"] for answer in answers if answer.status_code == 200} == {first}
    sha256 = answers[0].json()["sha256"]
    check_one(house, sha256, UPLOADS)
    assert len(house.objects_of(sha256)) == 1
    assert house.puts(serve, second) - puts == 1
    assert house.scraps() == []


def test_fifty_equal_uploads_of_fifty_people_store_one_object(house: Any, serve: Any) -> None:
    people = [str(uuid.uuid4()) for _ in range(UPLOADS)]
    answers = upload_at_once(house, [serve], people, os.urandom(50_000))
    assert [answer.status_code for answer in answers] == [201] * UPLOADS
    sha256 = answers[0].json()["sha256"]
    check_one(house, sha256, UPLOADS)
    assert len(house.objects_of(sha256)) == 1


def test_fifty_uploads_of_one_name_leave_one_entry_with_fifty_versions(house: Any, serve: Any, person: str) -> None:
    def one(_: int) -> int:
        with house.client(serve, person) as client:
            return client.post("/api/v1/files/", files={"file": ("same.bin", os.urandom(100))}).status_code

    with ThreadPoolExecutor(UPLOADS) as pool:
        assert list(pool.map(one, range(UPLOADS))) == [201] * UPLOADS
    (file,) = house.rows("SELECT id, content_version, version FROM file WHERE owner = %s", person)
    assert (file["content_version"], file["version"]) == (UPLOADS, UPLOADS)
    versions = [event["version"] for event in house.events() if event["subject"] == str(file["id"])]
    assert versions == list(range(1, UPLOADS + 1))


def test_fifty_equal_uploads_to_s3_store_one_object(open_house: Any, s3_store: dict[str, str], person: str) -> None:
    house = open_house(**s3_store)
    processes = [house.start("serve"), house.start("serve")]
    content = os.urandom(100_000)
    answers = upload_at_once(house, processes, [person] * UPLOADS, content)
    assert sorted(answer.status_code for answer in answers) == [200] * (UPLOADS - 1) + [201]
    check_one(house, answers[0].json()["sha256"], UPLOADS)
    assert house.puts(*processes) == 1
    with house.client(processes[0], person) as client:
        url = answers[7].json()["url"]
        assert client.get(url).content == content
        assert client.get(url, headers={"Range": "bytes=10-19"}).content == content[10:20]
        assert len(client.get("/api/v1/folders/race/archive.zip").content) > UPLOADS * len(content)
