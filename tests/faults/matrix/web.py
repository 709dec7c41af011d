"""Web is killed in the worst moments of a request."""

from __future__ import annotations

from rig.calls import Operation, request_once
from rig.faults import fault
from rig.scene import Scene

MOST_DEATHS = 8


@fault("F1", "web is killed after the commit, before its answer", limit=3)
def killed_before_the_answer(scene: Scene) -> None:
    """Until a client has met it: a request that was done, but whose answer was lost, is answered on its repetition."""
    for _ in range(MOST_DEATHS):
        with scene.fault(noticed=scene.death()):
            scene.kill_at("web.answered")
        scene.recovered(scene.serves("student", "recipe", "job"))
        if answered := [operation for operation in scene.ledger.acknowledged if operation.replayed]:
            break
    scene.require(answered, f"no operation was done before one of {MOST_DEATHS} deaths and answered after it")
    for operation in answered:
        _ask_once_more(scene, operation)


def _ask_once_more(scene: Scene, operation: Operation) -> None:
    """The same key and body get the identical answer, byte for byte, and say that it is a repetition."""
    answer, attempt = request_once(scene.ground.campus, operation)
    scene.require(answer is not None and answer.status_code == operation.status, f"{operation}, then {attempt}")
    if answer is not None:
        scene.require(answer.content == operation.body, f"{operation} was answered differently: {answer.content!r}")
        scene.require(answer.headers.get("idempotency-replayed") == "true", f"{operation} was not said to be a replay")


@fault("F2", "web is killed between a write and its commit", limit=3)
def killed_before_the_commit(scene: Scene) -> None:
    """The point lies inside every transaction that tells an event, of web and of files: what was written is nothing."""
    for _ in range(1 + scene.size.long):
        with scene.fault(noticed=scene.death()):
            scene.kill_at("outbox.inserted")
        scene.recovered(scene.serves("student", "recipe", "job"), scene.serves("file"))
