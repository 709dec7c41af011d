"""RabbitMQ is killed, stopped, out of space, forgetful: web does not even notice, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable

from ochaq_shared.bus import topology
from rig import respec
from rig.faults import fault
from rig.processes import wait_for
from rig.scene import Scene, percentile
from rig.settling import without_receipt

WEB = ("student", "recipe", "job")
DOWN = (15.0, 120.0)
BLOCKED = (8.0, 30.0)
SHOWN_SECONDS = 30.0
"""How soon the page for operators has to show that the bus does not move."""

MORE_LATENCY = 0.05
RESEND_SECONDS = 8
"""Instead of five minutes, so that a run need not take as long."""

CONSUMERS = ("web-consume", "files-consume", "search-index", "realtime-consume", "worker-work")


@fault("F14", "RabbitMQ is killed", limit=15)
def broker_killed(scene: Scene) -> None:
    began = time.time()
    with scene.fault(noticed=scene.gone("rabbitmq")):
        scene.ground.processes.kill(scene.ground.processes.tree("rabbitmq"))
    scene.recovered(scene.ready("rabbitmq"), scene.takes_jobs())
    _web_did_not_notice(scene, began, time.time())


@fault("F15", "RabbitMQ is stopped for a while", limit=15)
def broker_down(scene: Scene) -> None:
    processes = scene.ground.processes
    with scene.fault(noticed=lambda: scene.ground.ops_shows("is behind")):
        processes.stop("rabbitmq")
        down = time.time()
        time.sleep(scene.size.seconds(*DOWN))
        scene.require(scene.detected, f"/ops/ did not show the lag of the outbox within {time.time() - down:.0f} s")
        backlog = scene.ground.databases.number("web", "SELECT count(*) FROM outbox WHERE published_at IS NULL")
        processes.start("rabbitmq")
    scene.recovered(scene.takes_jobs())
    scene.log(f"{backlog} messages had been waiting")
    scene.require((scene.detected or 0) <= SHOWN_SECONDS, f"/ops/ showed it after {scene.detected} s only")
    _web_did_not_notice(scene, down, scene.ended)


@fault("F16", "RabbitMQ has a disk alarm", limit=5)
def broker_blocked(scene: Scene) -> None:
    broker = scene.ground.broker
    with scene.fault(noticed=lambda: scene.ground.ops_shows("takes no messages")):
        broker.control("set_disk_free_limit", "9000GB")
        alarm = time.time()
        time.sleep(scene.size.seconds(*BLOCKED))
        over = time.time()
        broker.control("set_disk_free_limit", "100MB")
    scene.recovered(scene.takes_jobs())
    scene.require(scene.detected and scene.detected <= SHOWN_SECONDS, "/ops/ did not show that the broker is blocked")
    _web_did_not_notice(scene, alarm, over)


@fault("F17", "queues are purged or deleted with what is in them", limit=RESEND_SECONDS + 60, ordered=False)
def queues_lost(scene: Scene) -> None:
    """The relays ask after a while which events were never handled, and send them again."""
    processes, broker = scene.ground.processes, scene.ground.broker
    names = [queue.name for queue in topology.QUEUES]
    relays = {name: {"OCHAQ_RESEND_AFTER_SECONDS": str(RESEND_SECONDS)} for name in ("web-relay", "files-relay")}
    with respec.settings(processes, relays):
        processes.stop(*CONSUMERS)
        try:
            events = [queue.name for queue in (topology.WEB_EVENTS, topology.SEARCH_STUDENTS, topology.FILES_EVENTS)]
            wait_for(lambda: all(broker.depths()[name] > 0 for name in events), 30, "messages in every queue")
            with scene.fault():
                forget = broker.delete if scene.seed % 2 else broker.purge
                scene.log(f"{forget(names)} messages are {'deleted' if scene.seed % 2 else 'purged'}")
        finally:
            processes.start(*CONSUMERS)
        # With the usual setting what is still missing would come in minutes, not within the oracle's patience.
        scene.recovered(scene.ground.search_is_true, scene.ready(*CONSUMERS), _handled_by_all(scene))


def _handled_by_all(scene: Scene) -> Callable[[], bool]:
    """Every queue has dealt with everything that was published before it was lost."""
    redis_url = respec.environment(scene.ground.processes, "web-relay")["OCHAQ_REDIS_URL"]

    def handled_by_all() -> bool:
        return without_receipt(scene.ground.databases, redis_url, scene.ended) == 0

    return handled_by_all


def _web_did_not_notice(scene: Scene, begin: float, end: float) -> None:
    """Every request was answered, and as quickly as before: web never talks to the broker in a request."""
    before = [a.seconds for a in scene.attempts_between(0, begin, *WEB)]
    during = scene.attempts_between(begin, end, *WEB)
    failed = [a for a in during if a.status is None or a.status >= 500]
    scene.require(not failed, f"requests failed while only the broker was away: {failed[:3]}")
    allowed = percentile(before, 0.99) + MORE_LATENCY * (1 if scene.size.long else 8)
    reached = percentile([a.seconds for a in during], 0.99)
    scene.log(f"web's p99 was {percentile(before, 0.99) * 1000:.0f} ms before and {reached * 1000:.0f} ms during it")
    scene.require(reached <= allowed, f"web's p99 grew to {reached:.3f} s, more than {allowed:.3f} s")
