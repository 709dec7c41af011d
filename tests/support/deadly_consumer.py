"""A consumer process for tests: the student with id 666 kills it, 13 makes its handler raise.

python deadly_consumer.py AMQP_URL DATABASE_URL [FAILPOINTS_FILE]
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from ochaq_shared import failpoints
from ochaq_shared.bus import topology
from ochaq_shared.bus.consumer import Consumer
from ochaq_shared.bus.inbox import InboxProcessor
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.students import StudentRemoved
from ochaq_shared.health import Health
from outbox_rig import PsycopgWork


def main(amqp_url: str, database_url: str, failpoints_file: str = "") -> None:
    failpoints.configure(Path(failpoints_file) if failpoints_file else None)
    work = PsycopgWork(database_url)

    def handle(event: CloudEvent, what: StudentRemoved) -> None:
        if what.id == 666:
            os.kill(os.getpid(), signal.SIGKILL)
        if what.id == 13:
            raise ValueError("poison")
        work.connection.execute(
            "INSERT INTO effect (event_id, subject, version) VALUES (%s, %s, %s)",
            (event.id, event.subject, event.version),
        )

    processor = InboxProcessor("t", work, {StudentRemoved: handle})
    consumer = Consumer(amqp_url, topology.SEARCH_STUDENTS, processor, Health("t", "consume"))
    signal.signal(signal.SIGTERM, lambda *_: consumer.stop())
    consumer.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
