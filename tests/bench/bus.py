"""How fast events leave the outbox and take effect, and what one costs: on servers of its own, that wait for the disk.

    python tests/bench/bus.py [--size small|full]

A relay and a consumer run as processes of their own, as in production: the relay with confirms and `mandatory` on
quorum queues, the consumer with the inbox row in the transaction of its effect. Processor time is read from
/proc/<pid>/stat, so it holds on a machine that has other work; the servers' own share is not counted.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "local"))

import psycopg
from ochaq_shared import outbox, telemetry
from ochaq_shared.bus import topology
from ochaq_shared.bus.consumer import Consumer
from ochaq_shared.bus.delivery import Delivery, Outcome
from ochaq_shared.bus.inbox import InboxProcessor
from ochaq_shared.events import CloudEvent, Fact, Lane, fact
from ochaq_shared.health import Health
from ochaq_shared.receipts import Receipts
from ochaq_shared.reconcile import Reconciler
from ochaq_shared.relay import Relay
from outbox_rig import PsycopgWork

TICK = os.sysconf("SC_CLK_TCK")
QUEUE = topology.WEB_EVENTS
SUBJECTS = 1000


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    drained: int
    seconds: float
    backlog: int
    urgent: int


SIZES = {"small": Size(2_000, 1.0, 3_000, 20), "full": Size(100_000, 20.0, 200_000, 400)}


# Bound to one queue by the topology, as recipes are; each lane has one.
@fact("cookbook.recipe.benched", source="/bench", lane=Lane.NORMAL)
class Benched(Fact):
    number: int
    text: str


@fact("cookbook.recipe.hurried", source="/bench", lane=Lane.URGENT)
class Hurried(Benched):
    """Overtakes."""


@fact("cookbook.recipe.heaped", source="/bench", lane=Lane.BULK)
class Heaped(Benched):
    """Is overtaken."""


FILL = """
INSERT INTO outbox (event_id, type, source, subject, version, shard, lane, exchange, routing_key, headers, body)
SELECT g.id, type, source, g.subject, n, n %% %(shards)s, lane, exchange, routing_key, headers,
       body || jsonb_build_object('id', g.id, 'subject', g.subject, 'version', n)
FROM outbox, generate_series(2, %(count)s) AS n,
     LATERAL (
       SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
         || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid AS id,
         'recipe:' || n %% %(subjects)s AS subject) AS g
WHERE outbox.id = (SELECT max(id) FROM outbox)
"""
TEXT = "Stir the onions until they are golden, then add the tomatoes." * 4


# --- the two processes under test


def relay(database: str, amqp: str, redis: str) -> None:
    telemetry.configure("bench", "relay")
    process = Relay("bench", database, amqp, Health("bench", "relay"))
    Reconciler("bench", database, amqp, redis).start()
    signal.signal(signal.SIGTERM, lambda *_: process.stop())
    process.run()


class Stamping:
    """Notes when each event's effect was committed, by the clock that the producer uses too."""

    def __init__(self, inner: InboxProcessor) -> None:
        self._inner = inner

    def process(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        outcomes = self._inner.process(deliveries)
        now = time.time()
        sys.stdout.writelines(f"done {delivery.event.id} {now}\n" for delivery in deliveries)
        sys.stdout.flush()
        return outcomes


def consume(database: str, amqp: str, redis: str) -> None:
    telemetry.configure("bench", "consume")
    work = PsycopgWork(database)

    def effect(event: CloudEvent, what: Benched) -> None:
        work.connection.execute("INSERT INTO effect (event_id, number) VALUES (%s, %s)", (event.id, what.number))

    handlers = dict.fromkeys((Benched, Hurried, Heaped), effect)
    processor = Stamping(InboxProcessor("bench", work, handlers))
    consumer = Consumer(amqp, QUEUE, processor, Health("bench", "consume"), receipts=Receipts(redis))
    signal.signal(signal.SIGTERM, lambda *_: consumer.stop())
    consumer.run()


class Running:
    """One process under test and what it has used of the processor."""

    def __init__(self, what: str, bench: Bench) -> None:
        self.out = bench.home / f"{what}.out"
        words = [sys.executable, __file__, what, bench.database, bench.amqp, bench.redis]
        with self.out.open("ab") as out:
            self.process = subprocess.Popen(words, stdout=out)
        self._used = 0.0

    def used(self) -> float:
        """Seconds of user and system time since this was last asked."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        now = (int(fields[11]) + int(fields[12])) / TICK
        used, self._used = now - self._used, now
        return used

    def stamps(self) -> dict[str, float]:
        """What `Stamping` said: when each event took effect."""
        lines = (line.split() for line in self.out.read_text().splitlines() if line.startswith("done "))
        return {event_id: float(at) for _, event_id, at in lines}

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(20)


class Bench:
    """Servers, one database, one vhost."""

    def __init__(self, servers: Any, home: Path) -> None:
        self.home = home
        self.database, self.amqp, self.redis = servers.database("bench"), servers.amqp_url(), servers.redis_url()
        self.admin = psycopg.connect(self.database, autocommit=True)
        self.admin.execute(outbox.SCHEMA_SQL + outbox.RELAY_SQL)
        self.admin.execute("CREATE TABLE effect (event_id uuid PRIMARY KEY, number int)")

    def close(self) -> None:
        self.admin.close()

    @contextmanager
    def running(self, *names: str) -> Iterator[list[Running]]:
        processes = [Running(name, self) for name in names]
        try:
            yield processes
        finally:
            for process in processes:
                process.stop()

    def count(self, sql: str) -> int:
        row = self.admin.execute(sql).fetchone()
        assert row is not None
        return int(row[0])

    def pending(self) -> int:
        return self.count("SELECT count(*) FROM outbox WHERE published_at IS NULL")

    def effects(self) -> int:
        return self.count("SELECT count(*) FROM effect")

    def fill(self, count: int, model: type[Benched]) -> None:
        """Events in one transaction, made by one statement out of a first one that went through `emit`."""
        with self.admin.transaction():
            outbox.emit(self.admin, model(number=0, text=TEXT), subject="recipe:0", version=1)
            self.admin.execute(FILL, {"subjects": SUBJECTS, "shards": outbox.SHARDS, "count": count})
        self.admin.execute("ANALYZE outbox")


def until(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("it did not happen in time")
        time.sleep(0.05)


# --- what is measured


def drain(bench: Bench, size: Size) -> None:
    """A full outbox leaves, then a full queue takes effect: events a second, and processor time each.

    One after the other, each with the processors to itself and the servers. Both processes have started up before.
    """
    with bench.running("relay", "consume") as (mover, reader):
        warm(bench)
        reader.process.send_signal(signal.SIGSTOP)
        mover.used()
        bench.fill(size.drained, Benched)
        until(lambda: bench.pending() == 0)
        span = "SELECT extract(epoch FROM max(published_at) - min(published_at)) FROM outbox WHERE version > 1"
        row = bench.admin.execute(span).fetchone()
        assert row is not None
        relayed = mover.used() / size.drained * 1e6
        print(
            f"relay: {size.drained} events with confirms at {size.drained / float(row[0]):.0f}/s, {relayed:.0f} µs each"
        )
        reader.used()
        reader.process.send_signal(signal.SIGCONT)
        began = time.monotonic()
        until(lambda: bench.effects() > size.drained)
        rate = size.drained / (time.monotonic() - began)
        consumed = reader.used() / size.drained * 1e6
    print(f"consumer: the same at {rate:.0f}/s, {consumed:.0f} µs each; both {relayed + consumed:.0f} µs (goal 200)")


def warm(bench: Bench) -> None:
    """Until both processes are connected and have handled something."""
    outbox.emit(bench.admin, Benched(number=0, text=TEXT), subject="recipe:0", version=1)
    until(lambda: bench.effects() == 1)


def latency(bench: Bench, rate: int, seconds: float) -> None:
    """From the return of COMMIT to the commit of the effect, and what an event costs at this rate."""
    with bench.running("relay", "consume") as (mover, reader):
        warm(bench)
        emit_at(bench, rate, min(seconds, 1.0))
        until(lambda: bench.pending() == 0)
        before = bench.effects()
        mover.used(), reader.used()
        committed = emit_at(bench, rate, seconds)
        until(lambda: bench.effects() >= before + len(committed))
        costs = [process.used() / len(committed) * 1e6 for process in (mover, reader)]
        until(lambda: reader.stamps().keys() >= committed.keys())
        done = reader.stamps()
    took = sorted((done[event] - at) * 1000 for event, at in committed.items())
    print(f"commit to effect at {len(committed) / seconds:.0f}/s: {_percentiles(took)}; ", end="")
    print(f"processor: relay {costs[0]:.0f} µs, consumer {costs[1]:.0f} µs an event")


def _percentiles(took: Sequence[float]) -> str:
    """Of sorted milliseconds."""
    return f"p50 {statistics.median(took):.1f} ms, p99 {took[int(len(took) * 0.99)]:.1f} ms"


def emit_at(bench: Bench, rate: int, seconds: float, model: type[Benched] = Benched) -> dict[str, float]:
    """One transaction an event, at a steady rate, from two connections; when each COMMIT returned, by event id."""
    committed: dict[str, float] = {}

    def produce(first: int) -> None:
        with psycopg.connect(bench.database) as connection, psycopg.connect(bench.database, autocommit=True) as waker:
            began = time.monotonic()
            for number in range(first, int(rate * seconds), 2):
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
                what = model(number=number, text=TEXT)
                event = outbox.emit(connection, what, subject=f"recipe:{number % SUBJECTS}", version=number)
                connection.commit()
                committed[event.id] = time.time()
                outbox.wake(waker)

    threads = [threading.Thread(target=produce, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return committed


def overtaking(bench: Bench, size: Size) -> None:
    """Urgent events while a backlog of bulk ones leaves: from COMMIT to confirmed and marked."""
    bench.fill(size.backlog, Heaped)
    with bench.running("relay"):
        until(lambda: bench.pending() < size.backlog)
        began, left = time.monotonic(), bench.pending()
        committed = emit_at(bench, 20, size.urgent / 20, Hurried)
        rate = (left - bench.pending()) / (time.monotonic() - began)
        still = bench.pending()
        until(lambda: bench.pending() == 0)
    rows = bench.admin.execute(
        "SELECT event_id::text, extract(epoch FROM published_at)::float8 FROM outbox WHERE event_id = ANY(%s::uuid[])",
        (list(committed),),
    ).fetchall()
    took = sorted((at - committed[event]) * 1000 for event, at in rows)
    print(f"urgent events beside a backlog of {size.backlog}: {_percentiles(took)} to confirmed", end="")
    print(f" (it left at {rate:.0f}/s, {still} were still there at the end)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="full")
    size = SIZES[parser.parse_args().size]
    from ochaq_sources import Local
    from server_addresses import Servers

    source = Local(durable=True)
    try:
        servers = Servers(source)
        for part in (
            lambda bench: drain(bench, size),
            lambda bench: latency(bench, 200, size.seconds),
            lambda bench: latency(bench, 1000, size.seconds),
            lambda bench: overtaking(bench, size),
        ):
            bench = Bench(servers, source.home)
            part(bench)
            bench.close()
    finally:
        source.close()
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] in (["relay"], ["consume"]):
        {"relay": relay, "consume": consume}[sys.argv[1]](*sys.argv[2:])
    else:
        sys.exit(main())
