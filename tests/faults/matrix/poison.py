"""Messages that nobody can handle: each ends where people see it, and nobody else waits for long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from ochaq_shared.bus import topology
from ochaq_shared.bus.dead_letters import DeadLetter
from ochaq_shared.bus.publisher import Message
from ochaq_shared.commands import celery_command
from ochaq_shared.events.base import CloudEvent
from ochaq_shared.ids import uuid7
from ochaq_shared.outbox import EVENTS_EXCHANGE
from rig.databases import Databases
from rig.faults import fault
from rig.processes import wait_for
from rig.scene import Scene
from rig.stories import FileStory

MOST_TRIES = 5
DEAD_SECONDS = 90.0
SHOWN_SECONDS = 60.0
MOST_DELAY = 10.0
HUGE = 10_000_000
CREATED = "ochaq.students.student.created.v1"
UNKNOWN_TASK = "ochaq.no.such.task"

# A row that cannot be written: whoever handles this file's event raises, each time, until somebody mends it.
_BREAK = """
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'poison'; END $$;
CREATE TRIGGER poison BEFORE UPDATE ON file FOR EACH ROW WHEN (new.name LIKE 'poison%') EXECUTE FUNCTION poison();
"""
_MEND = "DROP TRIGGER IF EXISTS poison ON file; DROP FUNCTION IF EXISTS poison()"
_TRIES = """
SELECT i.attempts FROM outbox o JOIN inbox i ON i.event_id = o.event_id
WHERE o.type LIKE 'ochaq.files.file.uploaded.%%' AND o.subject = %s
"""
_SLOWEST = """
SELECT coalesce(max(extract(epoch FROM finished_at - created_at)), 0) FROM job
WHERE kind = 'test.noop' AND created_at BETWEEN to_timestamp(%s) AND to_timestamp(%s) AND finished_at IS NOT NULL
"""


@fault("F30", "poison: raises, wrong schema, 10 MB, unknown task, kills its worker", limit=MOST_DELAY)
def poison(scene: Scene) -> None:
    databases, broker = scene.ground.databases, scene.ground.broker
    story = FileStory(f"poison{scene.ledger.run}", scene.rng, content=b"poison", folder=f"faults/{scene.ledger.run}")
    with _poisoned(databases):
        with scene.fault(noticed=lambda: scene.ground.ops_shows("wants a decision", "want a decision")):
            scene.ledger.tell(story)
            messages = _messages()
            for message in messages:
                broker.publish(message)
            crashing = scene.start_job("test.crash", expecting="failed")
            # Everybody, the poisoned file's event too, has to be given up by now.
            wait_for(lambda: _all_dead(scene, messages), DEAD_SECONDS, lambda: f"all dead: {_told(scene)}", 0.5)
            dead_after = time.time() - scene.begun
            wait_for(
                scene.job_is(crashing, "failed"), DEAD_SECONDS, f"the end of test.crash: {scene.job(crashing)}", 0.2
            )
        scene.log(f"all were dead after {dead_after:.0f} s, test.crash after {scene.job(crashing)['attempt']} tries")
    scene.require((scene.detected or 999) <= SHOWN_SECONDS, f"/ops/ showed dead letters after {scene.detected} s")
    scene.require(int(str(scene.job(crashing)["attempt"])) <= MOST_TRIES, f"test.crash: {scene.job(crashing)}")
    tries = databases.number("files", _TRIES, (story.id,))
    scene.require(tries <= MOST_TRIES, f"the poisoned event was tried {tries} times")
    slowest = float(databases.web(_SLOWEST, (scene.begun, scene.ended))[0][0])
    scene.recovered_after = slowest
    _replay(scene, story)


def _messages() -> list[Message]:
    """What no consumer can read, each as a producer with a bug would send it."""
    wrong = CloudEvent(type=CREATED, source="/web/students", subject="student:0", version=1, data={"id": "none"})
    command = celery_command(UNKNOWN_TASK, uuid7(), topology.JOBS_SHORT.name)
    huge = b'{"id": "' + b"x" * HUGE + b'"}'
    return [
        Message(wrong.id, EVENTS_EXCHANGE, CREATED, wrong.encode(), {}, CREATED),
        Message(uuid7(), EVENTS_EXCHANGE, CREATED, b"no JSON at all", {}, CREATED),
        Message(uuid7(), EVENTS_EXCHANGE, CREATED, huge, {}, CREATED),
        Message(command.id, "ochaq.commands", command.routing_key, orjson.dumps(command.body), command.headers),
    ]


@contextmanager
def _poisoned(databases: Databases) -> Iterator[None]:
    databases.files(_MEND)
    databases.files(_BREAK)
    try:
        yield
    finally:
        databases.files(_MEND)


def _replay(scene: Scene, story: FileStory) -> None:
    """What was mended is sent back by an operator, and then handled; the rest is dropped."""
    letters = list(filter(_of_files, scene.ground.broker.dead()))
    scene.require(len(letters) == 1, f"one dead letter of files, not {letters}")
    for letter in letters:
        done = _dlq(scene, "replay", letter.id)
        scene.require(letter.id in json.dumps(done), f"`ochaq dlq replay` answered {done}")
    query = "SELECT count(*) FROM file WHERE id = %s AND status = 'completed'"
    wait_for(lambda: scene.ground.databases.number("files", query, (story.id,)), 30, "the mended file to be completed")
    wait_for(lambda: _dropped(scene), 20, "no dead letters after `ochaq dlq drop`")


def _dropped(scene: Scene) -> bool:
    """Drop all there are. Whoever looks at letters has them in hand for that moment, and web looks all the time."""
    _dlq(scene, "drop")
    return not scene.ground.broker.dead()


def _dlq(scene: Scene, *words: str) -> object:
    """`ochaq dlq …` as an operator runs it."""
    command = [sys.executable, "-m", "ochaq_shared.cli.main", "--json", "dlq", *words, "--reason", "a drill"]
    environment = {**os.environ, "OCHAQ_LOCAL": str(scene.ground.platform.state)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"ochaq dlq {' '.join(words)} ended with {done.returncode}: {done.stderr[-300:]}")
    return json.loads(done.stdout or "[]")


def _all_dead(scene: Scene, messages: list[Message]) -> bool:
    """Each of ours has a letter, and so has the event of the poisoned file."""
    letters = scene.ground.broker.dead()
    known = {letter.id for letter in letters}
    return {message.id for message in messages} <= known and any(map(_of_files, letters))


def _of_files(letter: DeadLetter) -> bool:
    return letter.queue == topology.FILES_EVENTS.name


def _told(scene: Scene) -> list[tuple[str, str]]:
    return [(letter.queue, letter.error[:60]) for letter in scene.ground.broker.dead()]
