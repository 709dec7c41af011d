"""The worker dies in the middle of a job, in all its parts."""

from __future__ import annotations

import signal
import time

from ochaq_local import guard
from rig.faults import fault
from rig.processes import wait_for
from rig.scene import Look, Scene
from rig.stories import JobStory

ROWS = 10_000
EXIT_SECONDS = 2.0
"""How much longer than its task a worker may take to leave."""


@fault("F4", "a process of Celery's pool is killed in the middle of a task", limit=8)
def pool_process_killed(scene: Scene) -> None:
    story = _under_way(scene, scene.start_job("test.steps", steps=8, seconds=4.0))
    victim = _holder(scene, story)
    with scene.fault(noticed=lambda: victim not in scene.ground.processes.children("worker-work")):
        scene.ground.processes.kill([victim])
    scene.recovered(_runs_again(scene, story))
    _ended_well(scene, story)


@fault("F5", "Celery's main process is killed, then its whole tree", limit=15)
def worker_killed(scene: Scene) -> None:
    processes = scene.ground.processes
    for whole in (False, True):
        # The oracle counts the rows of this one; it may have to wait for its turn, so the other one is watched.
        scene.start_job("students.generate", count=ROWS, replace=False)
        story = _under_way(scene, scene.start_job("test.steps", steps=8, seconds=4.0))
        with scene.fault(noticed=scene.gone("worker-work")):
            processes.kill(processes.tree("worker-work") if whole else [processes.pid("worker-work")])
        scene.recovered(_runs_again(scene, story))
        _ended_well(scene, story)


@fault("F6", "the worker is asked to leave (SIGTERM) during a task of 4 s", limit=EXIT_SECONDS)
def worker_asked_to_leave(scene: Scene) -> None:
    """It finishes what it has in hand, then leaves; the limit counts from the end of the task."""
    story = _under_way(scene, scene.start_job("test.steps", steps=8, seconds=4.0))
    pid = scene.ground.processes.pid("worker-work")
    with scene.fault():
        scene.ground.processes.send([pid], signal.SIGTERM)
        left = wait_for(lambda: not guard.is_alive(pid) and time.time(), 30, "the worker's leaving", 0.02)
    scene.recovered(scene.ready("worker-work"), scene.takes_jobs())
    ended = scene.ground.databases.web("SELECT extract(epoch FROM finished_at) FROM job WHERE id = %s", (story.id,))
    scene.require(ended[0][0], "the job was not finished by the worker that left")
    scene.recovered_after = max(0.0, left - float(ended[0][0] or left))
    job = scene.job(story)
    scene.require(job["attempt"] == 1, f"one start and one end, not {job['attempt']} starts")


def _under_way(scene: Scene, story: JobStory) -> JobStory:
    """The job has done a part of its work, and has more to do."""

    def look() -> bool:
        job = scene.job(story)
        return job["status"] == "running" and int(str(job["progress_done"])) > 0

    wait_for(look, 30, f"progress of {story.kind}, which is {scene.job(story)}", 0.02)
    return story


def _holder(scene: Scene, story: JobStory) -> int:
    """The process that holds the job's lease."""
    return int(str(scene.job(story)["lease_owner"]).rpartition(":")[2])


def _runs_again(scene: Scene, story: JobStory) -> Look:
    first = int(str(scene.job(story)["attempt"]))

    def runs_again() -> bool:
        return int(str(scene.job(story)["attempt"])) > first

    return runs_again


def _ended_well(scene: Scene, story: JobStory) -> None:
    wait_for(scene.job_is(story, "succeeded", "failed", "cancelled"), 60, f"the end of {story.kind}")
    job = scene.job(story)
    scene.require(job["status"] == "succeeded", f"{story.kind} ended as {job}")
    scene.require(int(str(job["attempt"])) == 2, f"{story.kind} was started {job['attempt']} times, not twice")
