"""Demo students: made from weighted word lists a chunk at a time, and stored while the next chunk is being made.

A chunk follows from the job's id and the chunk's number alone, so a worker that goes on after another one died makes
the very same rows, and web recognises those it has.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from itertools import chain, islice
from random import Random
from typing import Any

from ochaq_worker.names import voices
from ochaq_worker.runs import Run

AGES = range(15, 71)
DOMAIN = "example.com"
LEAST_ROWS, MOST_ROWS = 2_500, 5_000
IN_FLIGHT = 2  # while web copies one chunk it reads the next; more would only wait for the job's row


def chunk_rows(count: int) -> int:
    """Rows in one chunk: a small job in a few, so that indexing overlaps making; a big one in half-megabytes."""
    return min(MOST_ROWS, max(LEAST_ROWS, -(-count // 4)))


def chunk_body(job_id: str, chunk: int, first: int, size: int) -> bytes:
    """NDJSON of students number `first` to `first + size - 1` of a job."""
    rng = Random(f"{job_id}:{chunk}")  # noqa: S311 - repeatable on purpose, and no secret
    pools = voices()
    order = rng.choices(range(len(pools)), [voice.weight for voice in pools], k=size)
    names = {number: _names(rng, number, many) for number, many in Counter(order).items()}
    ages = rng.choices(AGES, k=size)
    mark = _mark(job_id)
    lines = []
    for number, (voice, age) in enumerate(zip(order, ages, strict=True), first):
        (given, given_ascii), (family, family_ascii) = next(names[voice])
        # The number makes the address unique within the job, the mark among jobs.
        lines.append(
            f'{{"first_name":{given},"last_name":{family},'
            f'"email":"{given_ascii}.{family_ascii}.{mark}{number:x}@{DOMAIN}","age":{age}}}\n'
        )
    return "".join(lines).encode()


def _names(rng: Random, number: int, many: int) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    voice = voices()[number]
    firsts = rng.choices(voice.firsts.entries, cum_weights=voice.firsts.cumulative, k=many)
    lasts = rng.choices(voice.lasts.entries, cum_weights=voice.lasts.cumulative, k=many)
    return zip(firsts, lasts, strict=True)


def _mark(job_id: str) -> str:
    """Eight letters that tell this job's addresses from every other job's; letters only, so numbers cannot run in."""
    digest = hashlib.blake2b(job_id.encode(), digest_size=8).digest()
    return "".join("ghjkmnpqrstvwxyz"[byte % 16] for byte in digest)


@dataclass
class Tally:
    """What a run carries over to the next worker in its checkpoint."""

    rows: int
    next_chunk: int = 0
    removed: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, run: Run, count: int) -> Tally:
        return cls(**run.claim.checkpoint) if run.claim.checkpoint else cls(rows=chunk_rows(count))


def students_generate(run: Run) -> dict[str, Any]:
    """`{count, replace}` → `{created, removed, seconds, rows_per_second}`."""
    count, replace = int(run.claim.params["count"]), bool(run.claim.params["replace"])
    tally = Tally.of(run, count)
    began = time.monotonic() - tally.seconds
    with ThreadPoolExecutor(max_workers=IN_FLIGHT, thread_name_prefix="upload") as uploads:
        clearing = uploads.submit(copy_context().run, _clear, run) if replace and not tally.next_chunk else None
        made = _prefetched(_chunks(run, tally, count))  # the first chunk is made while the old rows go
        tally.removed = clearing.result() if clearing else tally.removed
        sent: deque[Future[int]] = deque()
        for chunk, body in made:
            run.check()
            # A copy for each thread: the request id goes along with every call, and so into its events.
            sent.append(uploads.submit(copy_context().run, run.web.store_students, run.claim, chunk, body))
            if len(sent) > IN_FLIGHT:
                _settle(run, tally, sent.popleft(), count, began)
        while sent:
            _settle(run, tally, sent.popleft(), count, began)
    seconds = time.monotonic() - began
    return {
        "created": count,
        "removed": tally.removed,
        "seconds": round(seconds, 3),
        "rows_per_second": round(count / max(seconds, 0.001)),
    }


def students_purge(run: Run) -> dict[str, Any]:
    """`{}` → `{removed, seconds}`."""
    began = time.monotonic()
    removed = _clear(run)
    return {"removed": removed, "seconds": round(time.monotonic() - began, 3)}


def _clear(run: Run) -> int:
    """Remove the demo students that were there before this job; answers how many."""
    while True:
        removed, done = run.web.purge_students(run.claim)
        if done:
            return removed
        run.check()


def _settle(run: Run, tally: Tally, stored: Future[int], count: int, began: float) -> None:
    """The oldest chunk under way is stored: only then does the checkpoint pass it."""
    stored.result()
    tally.next_chunk += 1
    tally.seconds = round(time.monotonic() - began, 3)
    run.advance(min(count, tally.next_chunk * tally.rows), count, dict(vars(tally)))


def _chunks(run: Run, tally: Tally, count: int) -> Iterator[tuple[int, bytes]]:
    """The chunks that are still missing."""
    for first in range(tally.next_chunk * tally.rows, count, tally.rows):
        chunk = first // tally.rows
        yield chunk, chunk_body(run.claim.id, chunk, first, min(tally.rows, count - first))


def _prefetched(chunks: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """The same chunks, the first of them made now."""
    return chain([*islice(chunks, 1)], chunks)
