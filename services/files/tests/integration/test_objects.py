"""One behaviour of an object store, whichever it is: a local directory, or a real S3 server that ignores conditions."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ochaq_files.storage.objects import (
    LocalObjects,
    ObjectCorrupt,
    ObjectMissing,
    Objects,
    Span,
    StoreUnavailable,
)
from ochaq_files.storage.objects.s3 import S3Objects
from ochaq_files.storage.scratch import Scratch
from ochaq_shared.ids import uuid7


class StoreBehaviour:
    """What every store must do; subclasses provide the `store` fixture."""

    @pytest.fixture
    def key(self) -> str:
        return f"b/ab/{uuid7()}/1"

    async def test_what_was_put_is_read_back(self, store: Objects, key: str) -> None:
        await store.put(key, b"salt and pepper", 15)
        assert await store.size(key) == 15
        spans = [Span(key, 0, 15, 15), Span(key, 0, 4, 15), Span(key, 9, 15, 15), Span(key, 3, 4, 15)]
        assert [bytes(found) for found in await store.read(spans)] == [b"salt and pepper", b"salt", b"pepper", b"t"]

    async def test_a_spooled_file_is_stored_whole(self, store: Objects, key: str, tmp_path: Path) -> None:
        content = os.urandom(12_000_001)
        (tmp_path / "spooled").write_bytes(content)
        await store.put(key, tmp_path / "spooled", len(content))
        first, last = await store.read(
            [Span(key, 0, 6_000_000, len(content)), Span(key, 6_000_000, len(content), len(content))]
        )
        assert bytes(first) + bytes(last) == content

    async def test_nothing_is_a_content_too(self, store: Objects, key: str) -> None:
        await store.put(key, b"", 0)
        assert await store.size(key) == 0

    async def test_putting_again_replaces_whole(self, store: Objects, key: str) -> None:
        await store.put(key, b"one", 3)
        await store.put(key, b"two", 3)
        assert bytes((await store.read([Span(key, 0, 3, 3)]))[0]) == b"two"

    async def test_twenty_puts_at_once_leave_one_whole_object(self, store: Objects, key: str) -> None:
        content = os.urandom(200_000)
        await asyncio.gather(*(store.put(key, content, len(content)) for _ in range(20)))
        assert bytes((await store.read([Span(key, 0, len(content), len(content))]))[0]) == content

    async def test_an_unexpected_length_is_refused(self, store: Objects, key: str) -> None:
        with pytest.raises(ObjectCorrupt):
            await store.put(key, b"short", 6)

    async def test_a_span_beyond_the_end_is_corrupt(self, store: Objects, key: str) -> None:
        await store.put(key, b"short", 5)
        with pytest.raises(ObjectCorrupt):
            await store.read([Span(key, 0, 6, 6)])

    async def test_a_missing_object_is_missing(self, store: Objects, key: str) -> None:
        with pytest.raises(ObjectMissing):
            await store.read([Span(key, 0, 1, 1)])
        with pytest.raises(ObjectMissing):
            await store.size(key)

    async def test_deleting_removes_and_deleting_nothing_is_nothing(self, store: Objects, key: str) -> None:
        await store.put(key, b"x", 1)
        await store.delete(key)
        await store.delete(key)
        with pytest.raises(ObjectMissing):
            await store.size(key)

    async def test_a_listing_names_every_object_and_its_time(self, store: Objects, key: str) -> None:
        await store.put(key, b"x", 1)
        found = {stored.key: stored.modified for stored in [stored async for stored in store.list("b")]}
        assert abs(found[key].timestamp() - time.time()) < 60

    def test_a_working_store_passes_its_check(self, store: Objects) -> None:
        store.check()


class TestLocalObjects(StoreBehaviour):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalObjects:
        return LocalObjects(tmp_path / "objects")

    async def test_a_dead_writers_leftover_is_swept_and_a_living_ones_is_not(self, tmp_path: Path) -> None:
        store = LocalObjects(tmp_path / "objects")
        (tmp_path / "objects/unfinished/dead.part").write_bytes(b"half")
        living, descriptor = Scratch(tmp_path / "objects/unfinished").create()
        assert store.sweep() == 1
        assert living.exists()
        os.close(descriptor)
        assert store.sweep() == 1

    def test_a_store_that_cannot_be_used_fails_its_check(self, tmp_path: Path) -> None:
        store = LocalObjects(tmp_path / "objects")
        (tmp_path / "objects/unfinished").rmdir()
        (tmp_path / "objects").rmdir()
        with pytest.raises(StoreUnavailable):
            store.check()


class TestS3Objects(StoreBehaviour):
    @pytest.fixture
    async def store(self, s3_store: dict[str, str]) -> AsyncIterator[S3Objects]:
        store = S3Objects(
            endpoint=s3_store["OCHAQ_S3_ENDPOINT"],
            bucket=s3_store["OCHAQ_S3_BUCKET"],
            access_key=s3_store["OCHAQ_S3_ACCESS_KEY"],
            secret_key=s3_store["OCHAQ_S3_SECRET_KEY"],
            region="us-east-1",
        )
        yield store
        await store.close()

    async def test_a_store_that_is_away_says_so(self, key: str) -> None:
        store = S3Objects(endpoint="http://127.0.0.1:9", bucket="b", access_key="a", secret_key="s", region="r")
        with pytest.raises(StoreUnavailable):
            await store.put(key, b"x", 1)
        with pytest.raises(StoreUnavailable):
            store.check()
