"""The heavy job against the source documents' way of doing it, on the same machine in the same minutes.

    python tests/bench/students_job.py --rows 10000 --rounds 3 --url http://127.0.0.1:8080

A is our job: `students.generate` with `replace`, through the running platform's gateway, timed from the moment web
made the job to the moment it ended (both by web's own clock), so everything in between counts: outbox, relay,
RabbitMQ, the worker, the removal of as many old rows, the insert. B is the naive loop: Faker and `Model.save()` row by
row, then every row fetched and deleted, one by one, autocommit, in a scratch schema with the same table and indexes.
The rounds are interleaved (A B A B) and the ratio is taken within each round. With `--naive-rows` B runs on fewer rows
and is scaled up; it is a straight line in the number of rows.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg

ROOT = Path(__file__).resolve().parents[2]
Naive = Callable[[int], float]


def main() -> None:
    wanted = _arguments()
    with httpx.Client(base_url=wanted.url, timeout=60, trust_env=False) as gateway, scratch(wanted.postgres) as naive:
        sign_in(gateway, wanted.user, wanted.password)
        ours(gateway, wanted.rows)  # so that the first round too has as many rows to remove as it makes
        rounds = [_round(number, gateway, naive, wanted) for number in range(1, wanted.rounds + 1)]
    _report(rounds, wanted)


def _round(number: int, gateway: httpx.Client, naive: Naive, wanted: argparse.Namespace) -> tuple[float, float]:
    fast = statistics.median(ours(gateway, wanted.rows) for _ in range(wanted.repeat))
    slow = naive(wanted.naive_rows) * wanted.rows / wanted.naive_rows
    print(f"round {number}: job {fast:.3f} s, naive {slow:.2f} s, ratio {slow / fast:.0f}", flush=True)
    return fast, slow


def ours(gateway: httpx.Client, rows: int) -> float:
    """Seconds from the making of the job to its end, by web's clock."""
    body = {"kind": "students.generate", "params": {"count": rows, "replace": True}}
    answer = gateway.post("/api/v1/jobs/", json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
    answer.raise_for_status()
    job = _ended(gateway, answer.json()["id"])
    if job["status"] != "succeeded" or job["result"]["created"] != rows:
        sys.exit(f"the job ended as {job['status']}: {job['result']} {job['error']}")
    began, ended = (datetime.fromisoformat(job[name]) for name in ("created_at", "finished_at"))
    return (ended - began).total_seconds()


def _ended(gateway: httpx.Client, job_id: str) -> dict[str, Any]:
    while True:
        # Seldom, so that asking does not take the time that is being measured.
        time.sleep(0.3)
        job: dict[str, Any] = gateway.get(f"/api/v1/jobs/{job_id}/").raise_for_status().json()
        if job["finished_at"]:
            return job


def sign_in(gateway: httpx.Client, user: str, password: str) -> None:
    answer = gateway.post("/api/token/", json={"username": user, "password": password}).raise_for_status()
    gateway.headers["Authorization"] = f"Bearer {answer.json()['access']}"


@contextmanager
def scratch(postgres: str) -> Iterator[Naive]:
    """A function that runs the naive loop for some rows, in a schema that is gone afterwards."""
    name = f"bench_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f'CREATE SCHEMA "{name}"')
        try:
            yield _naive(f"{postgres}{'&' if '?' in postgres else '?'}options=-csearch_path%3D{name}")
        finally:
            server.execute(f'DROP SCHEMA "{name}" CASCADE')


def _naive(url: str) -> Naive:
    _configure_django(url)
    from django.db import connection
    from faker import Faker
    from ochaq_web.students.models import Student

    with connection.schema_editor() as editor:
        editor.create_model(Student)
    faker = Faker()

    def loop(rows: int) -> float:
        began, ids = time.perf_counter(), []
        for number in range(rows):
            # Faker repeats addresses within some thousand rows; the number keeps them unique as ours are.
            student = Student(
                first_name=faker.first_name(),
                last_name=faker.last_name(),
                email=f"{number}.{faker.email()}",
                age=faker.random_int(15, 70),
                demo=True,
            )
            student.save()
            ids.append(student.id)
        for one in ids:
            Student.objects.get(pk=one).delete()
        return time.perf_counter() - began

    return loop


def _configure_django(url: str) -> None:
    """Django with this scratch schema and nothing else of the platform's."""
    for name in [name for name in os.environ if name.startswith("OCHAQ_")]:
        del os.environ[name]
    nowhere, keys = "http://127.0.0.1:9", Path(tempfile.mkdtemp(prefix="ochaq-bench-"))
    atexit.register(shutil.rmtree, keys)
    os.environ.update(
        {
            "OCHAQ_MODE": "test",
            "OCHAQ_PUBLIC_URL": nowhere,
            "OCHAQ_BIND_PORT": "1",
            "OCHAQ_DATABASE_URL": url,
            "OCHAQ_SIGNING_KEY_FILE": str(keys / "none.pem"),
            "OCHAQ_JWKS_FILE": str(keys / "none.json"),
            "OCHAQ_AMQP_URL": "amqp://127.0.0.1:9",
            "OCHAQ_REDIS_URL": "redis://127.0.0.1:9/0",
            "OCHAQ_CACHE_URL": "redis://127.0.0.1:9/1",
            "OCHAQ_WEB_URL": nowhere,
            "OCHAQ_FILES_URL": nowhere,
            "OCHAQ_SEARCH_URL": nowhere,
            "OCHAQ_REALTIME_URL": nowhere,
            "OCHAQ_SECRET_KEY": uuid.uuid4().hex,
            "OCHAQ_STATIC_ROOT": str(keys),
            "DJANGO_SETTINGS_MODULE": "ochaq_web.config.settings",
        }
    )
    import django

    django.setup()


def _report(rounds: list[tuple[float, float]], wanted: argparse.Namespace) -> None:
    ratios = [slow / fast for fast, slow in rounds]
    fast, slow = (statistics.median(side) for side in zip(*rounds, strict=True))
    print(f"rows: {wanted.rows}, rounds: {wanted.rounds} of {wanted.repeat} jobs, naive rows: {wanted.naive_rows}")
    print(f"job:   {fast:.3f} s, {wanted.rows / fast:,.0f} rows/s")
    print(f"naive: {slow:.2f} s, {wanted.rows / slow:,.0f} rows/s")
    print(f"ratio: median {statistics.median(ratios):.0f}, min {min(ratios):.0f}, max {max(ratios):.0f}")


def _arguments() -> argparse.Namespace:
    local = _state() / "demo.json"
    demo = json.loads(local.read_text()) if local.exists() else {"url": None, "password": None, "users": {}}
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--rows", type=int, default=10_000)
    read.add_argument("--rounds", type=int, default=3)
    read.add_argument("--repeat", type=int, default=1, help="jobs in a round, of which the median counts")
    read.add_argument("--naive-rows", type=int, help="rows of the naive loop, scaled to --rows (default: --rows)")
    read.add_argument("--url", default=demo["url"], required=demo["url"] is None)
    read.add_argument("--user", default=demo["users"].get("manager", "manager@ochaq.localhost"))
    read.add_argument("--password", default=demo["password"], required=demo["password"] is None)
    database = _database_of_web()
    read.add_argument("--postgres", default=database, required=database is None, help="where the naive loop works")
    wanted = read.parse_args()
    wanted.naive_rows = wanted.naive_rows or wanted.rows
    return wanted


def _state() -> Path:
    return Path(os.environ.get("OCHAQ_LOCAL", ROOT / ".local"))


def _database_of_web() -> str | None:
    """Web's own database, as `make up` wrote it down."""
    kept = _state() / "ochaq.env"
    lines = kept.read_text().splitlines() if kept.exists() else []
    return next((line.partition("=")[2] for line in lines if line.startswith("OCHAQ_DATABASE_URL=")), None)


if __name__ == "__main__":
    main()
