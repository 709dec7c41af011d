"""What the search service tells looks like its golden example; the examples it reads end in its index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from event_examples import assert_like_the_example, deliveries, owned_by
from ochaq_search.consumers import StudentEvents
from ochaq_search.engines.base import StudentRow
from ochaq_search.engines.tantivy.engine import TantivyEngine
from ochaq_search.indexing import LiveIndex
from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import connect
from ochaq_shared.bus.delivery import BatchProcessor
from ochaq_shared.events.catalogue import event_type
from ochaq_shared.ids import uuid7
from ochaq_shared.outbox import EVENTS_EXCHANGE

if TYPE_CHECKING:
    from conftest import Campus

REBUILT = "ochaq.search.index.rebuilt.v1"


def test_the_rebuilt_index_is_all_that_search_tells() -> None:
    assert owned_by("search") == [REBUILT]


def test_what_search_tells_looks_like_its_example(running: Campus) -> None:
    with closing(connect(running.environment["OCHAQ_AMQP_URL"])) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).queue
        channel.queue_bind(queue, EVENTS_EXCHANGE, "ochaq.search.#")
        job_id = uuid7()
        running.new_job(job_id)
        running.command({"job_id": job_id})
        heard: list[Any] = []

        def hear(message: Any) -> None:
            told = orjson.loads(message.body)
            # Another test's announcement may still be on its way.
            heard.extend([told] if told["data"]["job_id"] == job_id else [])

        channel.basic_consume(queue, no_ack=True, callback=hear)
        while not heard:
            connection.drain_events(timeout=20)
    assert_like_the_example(heard[0])


class School:
    """The students that the examples speak of, as web would stream them."""

    def __init__(self, *rows: StudentRow) -> None:
        self.rows = rows

    def students(self, *, after_id: int = 0, until_id: int | None = None) -> Iterator[StudentRow]:
        return (row for row in self.rows if after_id < row.id <= (until_id or row.id))


def test_every_example_that_search_reads_is_handled_once_and_again(tmp_path: Path) -> None:
    batch = list(deliveries(topology.SEARCH_STUDENTS))
    first = event_type("ochaq.students.batch.created.v1").example["data"]["first_id"]
    school = School(StudentRow(first, "Demo", "Everyone", "demo@example.com", True, 1))
    engine = TantivyEngine(tmp_path / "index", writer_bytes=15_000_000)
    building = engine.building()
    building.commit()
    engine.publish(building)
    building.close()
    live = LiveIndex(engine, school)
    processor = BatchProcessor(StudentEvents(live))
    for _ in range(2):
        assert all(outcome.acked for outcome in processor.process(batch))
    reader = engine.reader()
    reader.refresh()
    # The example's student was created, changed and removed; of the range, the source has one.
    assert [hit.id for hit in reader.search("everyone", limit=9, offset=0).hits] == [first]
    assert reader.search("yıldırım", limit=9, offset=0).hits == ()
    live.close()
