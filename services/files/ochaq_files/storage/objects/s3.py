"""Objects in a bucket of any S3, through obstore (the object_store crate).

Correctness rests on the database's claim, never on what a store does with conditional requests: some ignore them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import structlog
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from ochaq_files.storage.objects.base import (
    Buffer,
    ObjectCorrupt,
    ObjectMissing,
    Objects,
    Span,
    Stored,
    StoreUnavailable,
)
from ochaq_files.storage.objects.lenient import LenientRanges

log = structlog.get_logger(__name__)

IN_FLIGHT = 16
NOT_PARTIAL = "non-partial response"


class S3Objects(Objects):
    """One bucket."""

    batch_bytes = 4 * 1024 * 1024
    batch_spans = IN_FLIGHT

    def __init__(self, *, endpoint: str, bucket: str, access_key: str, secret_key: str, region: str) -> None:
        place: dict[str, Any] = {
            "endpoint": endpoint,
            "access_key_id": access_key,
            "secret_access_key": secret_key,
            "region": region,
            "virtual_hosted_style_request": False,
        }
        self._store = _opened(bucket, place, timeout="30s", retries=3)
        # A health check must answer soon, so it does not try again.
        self._probe = _opened(bucket, place, timeout="2s", retries=0)
        self._lenient: LenientRanges | None = None

    async def _put(self, key: str, content: bytes | Path) -> None:
        try:
            await obstore.put_async(self._store, key, content)
        except (BaseError, OSError) as error:
            raise StoreUnavailable("the object could not be written") from error

    async def read(self, spans: Sequence[Span]) -> list[Buffer]:
        return list(await asyncio.gather(*(self._read_one(span) for span in spans)))

    async def _read_one(self, span: Span) -> Buffer:
        if span.start == span.stop:
            return b""
        try:
            found = await self._get(span)
        except (NotFoundError, FileNotFoundError):
            raise ObjectMissing(span.key) from None
        except (BaseError, OSError, ValueError) as error:
            raise StoreUnavailable("the object could not be read") from error
        if len(found) != span.stop - span.start:
            raise ObjectCorrupt(span.key)
        return found

    async def _get(self, span: Span) -> Buffer:
        # A whole object is asked for as such: many servers answer a range that covers everything with 200.
        if span.whole:
            return memoryview(await (await obstore.get_async(self._store, span.key)).bytes_async())
        if self._lenient is not None:
            return await self._lenient.get(span)
        try:
            return memoryview(await obstore.get_range_async(self._store, span.key, start=span.start, end=span.stop))
        except BaseError as error:
            if NOT_PARTIAL not in str(error):
                raise
            return await self._get_leniently(span)

    async def _get_leniently(self, span: Span) -> Buffer:
        # Several reads at once may find out together; the first one's client serves them all.
        if self._lenient is None:
            log.warning("store.answers_ranges_with_200")
            self._lenient = LenientRanges(self._store, in_flight=IN_FLIGHT)
        return await self._lenient.get(span)

    async def size(self, key: str) -> int:
        try:
            return int((await obstore.head_async(self._store, key))["size"])
        except (NotFoundError, FileNotFoundError):
            raise ObjectMissing(key) from None
        except (BaseError, OSError) as error:
            raise StoreUnavailable("the object could not be asked for") from error

    async def delete(self, key: str) -> None:
        try:
            await obstore.delete_async(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return
        except (BaseError, OSError) as error:
            raise StoreUnavailable("the object could not be removed") from error

    async def list(self, prefix: str) -> AsyncIterator[Stored]:
        async for page in obstore.list(self._store, prefix, chunk_size=500):
            for meta in page:
                yield Stored(meta["path"], meta["last_modified"])

    async def close(self) -> None:
        if self._lenient is not None:
            await self._lenient.close()

    def check(self) -> None:
        try:
            obstore.head(self._probe, "b/readiness")
        except (NotFoundError, FileNotFoundError):
            return
        except (BaseError, OSError) as error:
            raise StoreUnavailable("the bucket cannot be asked") from error


def _opened(bucket: str, place: dict[str, Any], *, timeout: str, retries: int) -> S3Store:
    plain = place["endpoint"].startswith("http://")
    options: dict[str, Any] = {
        **place,
        "client_options": {"allow_http": plain, "connect_timeout": "3s", "timeout": timeout},
        "retry_config": {"max_retries": retries, "retry_timeout": timedelta(seconds=20)},
    }
    return S3Store(bucket, **options)
