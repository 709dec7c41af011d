"""The baseline of the jobs bench: Celery as its first pages show it, on the same broker. No row, no lease, no event.

Its one task writes a byte to the pipe whose number `BENCH_PIPE` holds, so that the bench sees when it ran.
"""

from __future__ import annotations

import os

from celery import Celery

QUEUE = "bench.plain"

app = Celery("plain", broker=os.environ["BENCH_AMQP_URL"])
app.conf.update(
    task_ignore_result=True,
    task_default_queue=QUEUE,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="bench.noop")
def noop() -> None:
    os.write(int(os.environ["BENCH_PIPE"]), b".")
