"""PostgreSQL is restarted, frozen, full: everybody says 503, nobody dies, and all come back by themselves."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from ochaq_local.processes import SERVICES
from rig.calls import Attempt
from rig.databases import Databases
from rig.faults import fault
from rig.processes import wait_for
from rig.scene import Look, Scene

FROZEN = (8.0, 30.0)
LONGEST_ANSWER = 6.0
"""Seconds: the server's own limit for a statement is 5, and the answer has to travel."""

BUSY = 3.0
"""What a short run adds, whose clients may have to wait for a processor."""

UNREADY = ("web-serve", "files-serve")


@fault("F20", "PostgreSQL is restarted at once (immediate)", limit=10)
def restarted_at_once(scene: Scene) -> None:
    processes = scene.ground.processes
    before = {name: pid for name, pid in processes.pids().items() if name in SERVICES}
    with scene.fault(noticed=scene.gone("postgres")):
        # What `pg_ctl stop -m immediate` sends; the supervisor starts it again.
        processes.send([processes.pid("postgres")], signal.SIGQUIT)
    scene.recovered(*_everything_serves(scene), scene.ready())
    _only_503(scene, scene.attempts_between(scene.begun, time.time()))
    after = {name: pid for name, pid in processes.pids().items() if name in SERVICES}
    scene.require(before == after, f"services were restarted: {before} became {after}")


@fault("F21", "PostgreSQL is frozen (SIGSTOP)", limit=5)
def frozen(scene: Scene) -> None:
    processes = scene.ground.processes
    tree = processes.tree("postgres")
    dead: set[str] = set()
    with scene.fault(noticed=lambda: not processes.is_ready("web-serve")):
        processes.send(tree, signal.SIGSTOP)
        try:
            until = time.monotonic() + scene.size.seconds(*FROZEN)
            while time.monotonic() < until:
                dead |= _not_live(scene)
                time.sleep(0.5)
        finally:
            processes.send(tree, signal.SIGCONT)
    scene.recovered(*_everything_serves(scene), scene.ready())
    scene.require(not dead, f"/livez was not 200 of {sorted(dead)}")
    asked = scene.attempts_between(scene.begun, scene.ended)
    longest = scene.size.seconds(LONGEST_ANSWER + BUSY, LONGEST_ANSWER)
    slow = [attempt for attempt in asked if attempt.seconds > longest]
    scene.require(not slow, f"answers took longer than {longest:.0f} s: {slow[:3]}")
    _only_503(scene, asked)


@fault("F22", "every connection that PostgreSQL has is taken", limit=5)
def connections_exhausted(scene: Scene) -> None:
    # Only who was let in lately is known without the database: an operator who looks now and then.
    scene.ground.ops()
    with scene.fault(noticed=_shown(scene)), _hog(scene.ground.databases):
        for name in UNREADY:
            wait_for(_unready(scene, name), 15, f"{name} to say that it is not ready")
        time.sleep(scene.size.seconds(4, 10))
        dead = _not_live(scene)
        shown = scene.ground.ops_shows("PostgreSQL takes no connections")
    scene.recovered(*_everything_serves(scene), scene.ready())
    scene.require(not dead, f"/livez was not 200 of {sorted(dead)}")
    scene.require(scene.detected is not None, "no look at /ops/ said that PostgreSQL takes no connections")
    scene.require(shown, "/ops/ no longer said it while it lasted")
    _only_503(scene, scene.attempts_between(scene.begun, scene.ended))


def _shown(scene: Scene) -> Look:
    """Readiness and the operators' page both say it."""
    unready = _unready(scene, "web-serve")
    return lambda: unready() and scene.ground.ops_shows("PostgreSQL takes no connections")


def _unready(scene: Scene, name: str) -> Look:
    return lambda: not scene.ground.processes.is_ready(name)


def _everything_serves(scene: Scene) -> tuple[Look, Look]:
    return scene.serves("student", "recipe", "job"), scene.serves("file")


def _only_503(scene: Scene, attempts: list[Attempt]) -> None:
    others = [a for a in attempts if a.status is None or (a.status >= 500 and a.status != 503)]
    scene.require(not others, f"not 503: {others[:3]}{' …' if len(others) > 3 else ''} ({len(others)} answers)")


def _not_live(scene: Scene) -> set[str]:
    """Services whose `/livez` is not 200 at once: it touches nothing that could be away."""
    found = set()
    for name in SERVICES:
        try:
            scene.ground.processes.health(name, "/livez", seconds=3)
        except OSError:
            found.add(name)
    return found


@contextmanager
def _hog(databases: Databases) -> Iterator[None]:
    """Take every connection, the administrator's reserve too, and those that services let go meanwhile."""
    taken: list[psycopg.Connection] = []
    over = threading.Event()

    def take() -> None:
        while not over.is_set():
            try:
                taken.append(psycopg.connect(databases.admin_url, autocommit=True))
            except psycopg.OperationalError:
                time.sleep(0.005)

    threads = [threading.Thread(target=take, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(taken) > 50, 20, "most connections to be taken")
        # Whoever holds a connection still would not notice: they are cut, and the hogs are quicker.
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('ochaq_web', 'ochaq_files')"
        for _ in range(10):
            with suppress(psycopg.Error):
                taken[0].execute(query)
            time.sleep(0.1)
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(5)
        for connection in taken:
            with suppress(psycopg.Error):
                connection.close()
