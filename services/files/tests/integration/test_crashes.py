"""kill -9 at any moment: what was acknowledged is there, and the sweep leaves neither an object nor a row alone."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

pytestmark = pytest.mark.slow


def whole(house: Any) -> bool:
    """Every object has a settled row, every row an object, and nothing is unfinished."""
    rows = {f"b/{row['sha256'][:2]}/{row['sha256']}/{row['gen']}" for row in house.rows("SELECT sha256, gen FROM blob")}
    unsettled = house.rows("SELECT 1 FROM blob WHERE state <> 'stored'")
    unused = house.rows("SELECT 1 FROM blob b WHERE NOT EXISTS (SELECT 1 FROM file_version v WHERE v.blob_id = b.id)")
    return set(house.objects()) == rows and not unsettled and not unused and not house.scraps()


@contextmanager
def locked(house: Any, table: str) -> Iterator[None]:
    """Holds the database's hand: whoever wants this table waits."""
    with psycopg.connect(house.database_url) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def uploading(house: Any, process: Any, person: str, content: bytes) -> threading.Thread:
    def one() -> None:
        with house.client(process, person) as client, pytest.raises(httpx.TransportError):
            client.post("/api/v1/files/", files={"file": ("a.bin", content)})

    thread = threading.Thread(target=one)
    thread.start()
    return thread


def test_killed_while_receiving_leaves_a_spool_file_that_the_sweep_removes(open_house: Any, person: str) -> None:
    house = open_house()
    serve = house.start("serve")
    address = urlsplit(serve.url)
    with socket.create_connection((address.hostname, address.port)) as raw:
        head = (
            f"POST /api/v1/files/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.token(person)}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000000\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        )
        raw.sendall(head.encode() + b"x" * 5_000_000)
        house.wait(house.scraps)
        serve.kill()
    assert house.scraps()
    house.start("consume")
    house.wait(lambda: whole(house))


def test_killed_before_the_claim_leaves_only_a_spool_file(open_house: Any, person: str) -> None:
    house = open_house()
    serve = house.start("serve")
    with locked(house, "blob"):
        thread = uploading(house, serve, person, os.urandom(2_000_000))
        house.wait(house.scraps)
        time.sleep(0.3)
        serve.kill()
    thread.join()
    assert house.objects() == []
    house.start("serve")
    assert house.scraps() == []
    assert house.rows("SELECT 1 FROM blob") == []


@pytest.mark.parametrize("size", [1000, 2_000_000])
def test_killed_after_the_object_was_written_leaves_neither_after_the_sweep(
    open_house: Any, person: str, size: int
) -> None:
    house = open_house()
    serve = house.start("serve")
    with locked(house, "file"):
        thread = uploading(house, serve, person, os.urandom(size))
        house.wait(house.objects)
        serve.kill()
    thread.join()
    assert [row["state"] for row in house.rows("SELECT state FROM blob")] == ["writing"]
    house.start("consume")
    house.wait(lambda: whole(house))
    assert house.objects() == []


def test_an_upload_takes_over_from_a_killed_one_when_its_lease_is_over(open_house: Any, person: str) -> None:
    house = open_house()
    serve, content = house.start("serve"), os.urandom(1000)
    with locked(house, "file"):
        thread = uploading(house, serve, person, content)
        house.wait(house.objects)
        serve.kill()
    thread.join()
    with house.client(house.start("serve"), person) as client:
        answer = client.post("/api/v1/files/", files={"file": ("b.bin", content)})
    assert answer.status_code == 201
    assert whole(house)


def test_an_object_that_no_row_knows_is_removed_after_its_grace(open_house: Any, person: str) -> None:
    house = open_house(OCHAQ_ORPHAN_GRACE_SECONDS="0", OCHAQ_ORPHAN_INTERVAL_SECONDS="0.5")
    orphan = house.directory / "objects" / "b" / "aa" / ("a" * 64) / "999"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"x")
    strange = house.directory / "objects" / "b" / "not-ours"
    strange.write_bytes(b"x")
    with house.client(house.start("serve"), person) as client:
        file = client.post("/api/v1/files/", files={"file": ("b.bin", b"kept")}).json()
        house.start("consume")
        house.wait(lambda: not orphan.exists())
        assert client.get(file["url"]).content == b"kept"
    assert strange.exists()


@pytest.mark.parametrize("kills", [3, pytest.param(12, marks=[pytest.mark.long, pytest.mark.timeout(400)])])
def test_killed_at_any_instant_nothing_acknowledged_is_lost(open_house: Any, person: str, kills: int) -> None:
    house = open_house(OCHAQ_CLAIM_LEASE_SECONDS="1")
    chance = random.Random(11)
    contents = [os.urandom(chance.choice([500, 40_000, 1_500_000])) for _ in range(12)]
    acknowledged: list[tuple[str, bytes]] = []

    def keep_uploading(process: Any, seed: int) -> None:
        own = random.Random(seed)
        with house.client(process, person) as client:
            try:
                while True:
                    content = own.choice(contents)
                    answer = client.post("/api/v1/files/", files={"file": (f"{uuid.uuid4()}.bin", content)})
                    assert answer.status_code in {200, 201}
                    acknowledged.append((answer.json()["url"], content))
            except httpx.TransportError:
                return

    for round_ in range(kills):
        serve = house.start("serve")
        threads = [threading.Thread(target=keep_uploading, args=(serve, round_ * 10 + n)) for n in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.02, 0.6))
        serve.kill()
        for thread in threads:
            thread.join()
    house.start("consume")
    house.wait(lambda: whole(house), 30)
    with house.client(house.start("serve"), person) as client:
        for url, content in acknowledged:
            assert client.get(url).content == content
    assert acknowledged
