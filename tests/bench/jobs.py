"""What a job costs: no-op jobs a second, from enqueue to start, and from cancel to its end.

    python tests/bench/jobs.py [--size small|full] [--local DIRECTORY]

Without `--local` it starts a platform of its own in mode test, which alone knows the kinds `test.*`, and leaves nothing
behind; with it, it uses the one running there (`OCHAQ_LOCAL=DIR OCHAQ_MODE=test make up`).

- throughput: a `test.fan` makes no-op children; their number over the time from the making of the first to the end of
  the last, by PostgreSQL's clock. Each is tracked like any job: row, timeline, outbox, claim, fence, finish, events. In
  turns with it (A B A B) the same number of no-ops through plain Celery with nothing of all that (plain_celery.py).
- singles: no-ops that four clients of the API ask for one by one, from the first one's making to the last one's end.
- enqueue to start: one no-op at a time on an idle platform, `started_at - created_at`.
- cancel: `finished_at - cancel_requested_at` of jobs that listen and of jobs that do not (those are killed).

The table of processor time says where the milliseconds of one no-op job go.
"""

from __future__ import annotations

import argparse
import math
import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "local"))

from ochaq_platform import Platform, started

FOLDER = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
MEASURED = ("worker-work", "web-serve", "web-relay", "web-consume", "realtime-consume", "postgres", "rabbitmq", "redis")


@dataclass(frozen=True)
class Size:
    rounds: int
    children: int
    singles: int
    starts: int
    listening: int
    stubborn: int


SIZES = {"small": Size(1, 500, 200, 30, 5, 1), "full": Size(5, 1000, 1000, 500, 100, 20)}


def main() -> int:
    options = _options()
    size = SIZES[options.size]
    given = Platform(options.local, 0) if options.local else None
    with nullcontext(given) if given else started({"OCHAQ_MODE": "test"}) as platform, _client(platform) as client:
        bench = Bench(platform, client)
        bench.over(bench.start("test.noop"))
        bench.fan(size.children // 2)  # pools warm, plans made
        throughput(bench, size)
        singles(bench, size)
        starts(bench, size)
        cancels(bench, size)
    return 0


def throughput(bench: Bench, size: Size) -> None:
    ours, plain, costs = [], [], []
    for _ in range(size.rounds):
        before = bench.processor_seconds()
        ours.append(bench.fan(size.children))
        costs.append({name: spent - before[name] for name, spent in bench.processor_seconds().items()})
        plain.append(plain_rate(bench.platform, size.children))
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, plain, strict=True))
    print(f"tracked no-op jobs:  {statistics.median(ours):,.0f}/s (median of {size.rounds} x {size.children})")
    print(f"plain Celery no-ops: {statistics.median(plain):,.0f}/s; ratio {ratio:.2f}")
    print("processor time per tracked job, ms:")
    for name in MEASURED:
        print(f"  {name:<17} {statistics.median(cost[name] for cost in costs) * 1000 / size.children:.2f}")


def singles(bench: Bench, size: Size) -> None:
    before = bench.processor_seconds()
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda _: bench.start("test.noop"), range(size.singles)))
    for job_id in ids:
        bench.over(job_id)
    spent = sum(used - before[name] for name, used in bench.processor_seconds().items())
    query = "SELECT extract(epoch FROM max(finished_at) - min(created_at))::float FROM job WHERE id = ANY('{%s}')"
    seconds = float(bench.platform.sql("web", query % ",".join(ids))[0][0])
    each = spent * 1000 / size.singles
    print(f"asked for one by one: {size.singles / seconds:,.0f}/s, {each:.2f} ms of processor each with its request")


def starts(bench: Bench, size: Size) -> None:
    waits = []
    for _ in range(size.starts):
        job_id = bench.start("test.noop")
        bench.over(job_id)
        waits.append(bench.seconds_between(job_id, "created_at", "started_at"))
    _say("enqueue to start, idle", waits)


def cancels(bench: Bench, size: Size) -> None:
    for title, kind, params, count in (
        ("cancel, a job that listens", "test.steps", {"steps": 1200, "seconds": 120.0}, size.listening),
        ("cancel, a job that does not", "test.stubborn", {"seconds": 120.0}, size.stubborn),
    ):
        waits = []
        for _ in range(count):
            job_id = bench.start(kind, **params)
            bench.running(job_id)
            bench.client.post(f"/api/v1/jobs/{job_id}/cancel/").raise_for_status()
            bench.over(job_id)
            waits.append(bench.seconds_between(job_id, "cancel_requested_at", "finished_at"))
        _say(title, waits)


@dataclass
class Bench:
    """A platform, and an operator signed in to it."""

    platform: Platform
    client: httpx.Client

    def start(self, kind: str, **params: Any) -> str:
        answer = self.client.post("/api/v1/jobs/", json={"kind": kind, "params": params})
        if answer.status_code != 202:
            sys.exit(f"{kind} was refused: {answer.text}")
        return str(answer.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.client.get(f"/api/v1/jobs/{job_id}/").raise_for_status().json())

    def running(self, job_id: str) -> None:
        while self.job(job_id)["status"] == "queued":
            time.sleep(0.01)
        time.sleep(0.3)  # well inside the run, as a person's cancel would be

    def over(self, job_id: str) -> dict[str, Any]:
        while not (job := self.job(job_id))["finished_at"]:
            time.sleep(0.02)
        return job

    def fan(self, children: int) -> float:
        """No-op jobs a second, from the first one's making to the last one's end."""
        fan = self.start("test.fan", children=children, seconds=0.0)
        while not self.job(fan)["finished_at"]:
            time.sleep(0.2)  # seldom, so that asking does not take the time that is being measured
        rows = self.platform.sql(
            "web",
            "SELECT count(*), extract(epoch FROM max(finished_at) - min(created_at))::float FROM job"
            f" WHERE parent_id = '{fan}' AND status = 'succeeded' AND attempt = 1",
        )
        if rows[0][0] != children:
            sys.exit(f"{rows[0][0]} of {children} no-op jobs ended well at the first attempt")
        return children / float(rows[0][1])

    def seconds_between(self, job_id: str, first: str, second: str) -> float:
        query = f"SELECT extract(epoch FROM {second} - {first})::float FROM job WHERE id = '{job_id}'"
        return float(self.platform.sql("web", query)[0][0])

    def processor_seconds(self) -> dict[str, float]:
        """What each process and all its living descendants have used so far."""
        rows = self.platform.processes()
        return {name: _used(int(rows[name]["pid"])) for name in MEASURED}


def plain_rate(platform: Platform, count: int) -> float:
    """The same number of no-ops through plain Celery, a second."""
    with _plain_worker(platform) as (pipe, environment):
        os.environ.update(environment)
        from plain_celery import app, noop

        noop.delay()  # the worker is up when this one has run
        _read(pipe)
        with app.producer_pool.acquire(block=True) as producer:
            began = time.perf_counter()
            for _ in range(count):
                noop.apply_async(producer=producer)
            done = 0
            while done < count:
                done += _read(pipe)
            return count / (time.perf_counter() - began)


def _read(pipe: int) -> int:
    """How many tasks ran since the last call; waits for the first of them."""
    if not select.select([pipe], [], [], 30)[0]:
        sys.exit("plain Celery ran nothing for 30 seconds")
    return len(os.read(pipe, 65_536))


@contextmanager
def _plain_worker(platform: Platform) -> Iterator[tuple[int, dict[str, str]]]:
    kept = dict(line.split("=", 1) for line in (platform.state / "ochaq.env").read_text().splitlines() if "=" in line)
    reading, writing = os.pipe()
    environment = {"BENCH_AMQP_URL": kept["OCHAQ_AMQP_URL"], "BENCH_PIPE": str(writing)}
    words = ["-A", "plain_celery", "worker", "-c", "3", "--loglevel", "ERROR"]
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", *words],
        env={**os.environ, **environment},
        cwd=FOLDER,
        pass_fds=(writing,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield reading, environment
    finally:
        worker.terminate()
        worker.wait(20)
        os.close(reading)
        os.close(writing)


def _used(pid: int) -> float:
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0  # it ended while we looked
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(_used(int(word)) for word in children.stdout.split())


def _say(title: str, seconds: list[float]) -> None:
    ordered = sorted(1000 * value for value in seconds)
    p50, p99 = (ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] for share in (0.5, 0.99))
    print(f"{title}: p50 {p50:,.1f} ms, p99 {p99:,.1f} ms, worst {ordered[-1]:,.1f} ms (of {len(ordered)})")


@contextmanager
def _client(platform: Platform) -> Iterator[httpx.Client]:
    demo = platform.demo
    with httpx.Client(base_url=demo["url"], timeout=60, trust_env=False) as client:
        form = {"username": demo["users"]["manager"], "password": demo["password"]}
        token = client.post("/api/token/", json=form).raise_for_status().json()["access"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--local", type=Path, help="the state directory of a running platform in mode test")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
