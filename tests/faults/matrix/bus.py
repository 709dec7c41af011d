"""Relay and broker: what was committed arrives, once and in order, whatever happens on the way."""

from __future__ import annotations

from rig.faults import fault
from rig.scene import Scene


@fault("F7", "the relay is killed between publishing and marking", limit=3)
def relay_killed_before_marking(scene: Scene) -> None:
    with scene.fault(noticed=scene.death()):
        scene.kill_at("relay.published")
    scene.recovered()


@fault("F28", "every event is published twice, then five times", limit=0)
def duplicates(scene: Scene) -> None:
    for copies in (2, 5):
        with scene.fault():
            scene.ground.arm({"relay.duplicate": {"do": "value", "value": copies}})
            scene.ledger.wait_for(len(scene.ledger.acknowledged) + scene.size.operations // 4)
        scene.ground.arm({})


@fault("F29", "events are published in a shuffled order, in windows of 50", limit=0, ordered=False)
def shuffled(scene: Scene) -> None:
    with scene.fault():
        scene.ground.arm({"relay.shuffle": {"do": "value", "value": 50}})
        scene.ledger.wait_for(len(scene.ledger.acknowledged) + scene.size.operations // 2)
