"""Everything at once."""

from __future__ import annotations

from rig.faults import fault
from rig.scene import Scene


@fault("F40", "every process is killed, in any order", limit=30)
def everything_killed(scene: Scene) -> None:
    """As a machine that is switched off. With odd seeds of long runs its supervisor dies too; `make up` starts it."""
    processes = scene.ground.processes
    pids = processes.everything()
    scene.rng.shuffle(pids)
    supervisor_too = scene.size.long and scene.seed % 2 == 1
    with scene.fault(noticed=lambda: bool(processes.unready())):
        if supervisor_too:
            processes.kill([processes.supervisor_pid])
        processes.kill(pids)
    if supervisor_too:
        scene.ground.platform.up()
    scene.recovered(scene.serves("student", "recipe", "job"), scene.serves("file"), scene.ready())
