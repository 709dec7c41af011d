"""Two schedulers, then none: every slot is fired once, whoever asks."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from free_ports import free_port
from rig import respec
from rig.faults import fault
from rig.processes import wait_for
from rig.scene import Scene

EVERY = 1
_MAKE = """
INSERT INTO job_schedule (name, title, kind, params, cron, every_seconds, time_zone, enabled, misfire, next_at)
VALUES (%s, '', 'test.noop', '{}', '', %s, 'UTC', true, 'once', date_trunc('second', now()) + interval '1 s')
"""
_SLOTS = """
SELECT count(*), count(DISTINCT slot), count(job_id), count(DISTINCT job_id), coalesce(sum(missed), 0),
       count(*) FILTER (WHERE outcome = 'started'), extract(epoch FROM max(slot) - min(slot))
FROM job_schedule_slot s JOIN job_schedule j ON j.id = s.schedule_id WHERE j.name = %s
"""
_JOBS = "SELECT count(*) FROM job_event WHERE kind = 'queued' AND actor = %s AND at >= to_timestamp(%s)"


@fault("F37", "the scheduler is doubled, then killed", limit=30)
def schedulers(scene: Scene) -> None:
    databases, processes = scene.ground.databases, scene.ground.processes
    since = time.time()
    databases.web(_MAKE, (_name(scene), EVERY))
    try:
        with _second_beat(scene) as second:
            _wait_slots(scene, int(scene.size.seconds(4, 20)))
            scene.require(second.poll() is None, "the second scheduler ended by itself")
            with scene.fault(noticed=scene.gone("worker-beat")):
                second.kill()
                processes.kill([processes.pid("worker-beat")])
            seen = _slots(scene)[0]

            def fires_again() -> bool:
                return bool(_slots(scene)[0] > seen)

            scene.recovered(fires_again)
            _wait_slots(scene, seen + 2)
    finally:
        databases.web("UPDATE job_schedule SET enabled = false WHERE name = %s", (_name(scene),))
    slots, distinct, jobs, distinct_jobs, missed, started, span = _slots(scene)
    scene.require(slots == distinct, f"{slots} slots, {distinct} of them distinct")
    scene.require(jobs == distinct_jobs == started, f"{started} slots started {distinct_jobs} jobs")
    scene.require(slots + missed == round(float(span) / EVERY) + 1, f"{slots} slots and {missed} missed in {span} s")
    queued = databases.number("web", _JOBS, (f"schedule:{_name(scene)}", since))
    scene.require(queued == started, f"{queued} jobs were queued for {started} slots")


def _name(scene: Scene) -> str:
    return f"clock-{scene.ledger.run}"


def _slots(scene: Scene) -> tuple[Any, ...]:
    return scene.ground.databases.web(_SLOTS, (_name(scene),))[0]


def _wait_slots(scene: Scene, wanted: int) -> None:
    wait_for(lambda: _slots(scene)[0] >= wanted, 60, f"{wanted} fired slots", 0.1)


@contextmanager
def _second_beat(scene: Scene) -> Iterator[subprocess.Popen[bytes]]:
    """The same process once more, as a mistake in a deployment starts it."""
    port = free_port()
    own = {**respec.environment(scene.ground.processes, "worker-beat"), "OCHAQ_BIND_PORT": str(port)}
    words = [sys.executable, "-m", "ochaq_worker", "beat"]
    beat = subprocess.Popen(words, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield beat
    finally:
        beat.kill()
        beat.wait()
