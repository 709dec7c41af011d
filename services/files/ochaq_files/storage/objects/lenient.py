"""Ranged reads from servers that send the right part with the wrong status.

`rclone serve s3` answers a Range with 200 and a correct Content-Range; obstore takes that for a fault. Here the
request is signed by obstore and sent by httpx, and what the server says it sent decides.
"""

from __future__ import annotations

from datetime import timedelta

import httpx
import obstore
from obstore.store import S3Store

from ochaq_files.storage.objects.base import ObjectMissing, Span, StoreUnavailable

SIGNED_FOR = timedelta(minutes=5)


class LenientRanges:
    """Reads spans of one bucket; belongs to the event loop of its first read."""

    def __init__(self, store: S3Store, *, in_flight: int) -> None:
        self._store = store
        limits = httpx.Limits(max_connections=in_flight)
        # The store is named by our own settings, so proxies of the environment are not asked.
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(30, connect=3), limits=limits, trust_env=False)

    async def get(self, span: Span) -> bytes:
        """The bytes of a span; raises `ObjectMissing` and `StoreUnavailable`."""
        url = await obstore.sign_async(self._store, "GET", span.key, SIGNED_FOR)
        wanted = f"bytes={span.start}-{span.stop - 1}"
        try:
            async with self._http.stream(
                "GET", url, headers={"Range": wanted, "Accept-Encoding": "identity"}
            ) as answer:
                if answer.status_code == 404:
                    raise ObjectMissing(span.key)
                # A server that ignores ranges would send the whole object: that is not read, to stay flat in memory.
                if not answer.headers.get("content-range", "").startswith(f"bytes {span.start}-"):
                    raise StoreUnavailable(f"the store answered a range with {answer.status_code}")
                return await answer.aread()
        except httpx.TransportError as error:
            raise StoreUnavailable("the object could not be read") from error

    async def close(self) -> None:
        await self._http.aclose()
