"""The oracle is worth what it finds: what these tests take away or put in behind everybody's back, it has to name."""

from __future__ import annotations

import time

import pytest
from ochaq_shared.bus.publisher import Message
from ochaq_shared.events.base import CloudEvent
from ochaq_shared.events.students import StudentRemoved
from ochaq_shared.outbox import EVENTS_EXCHANGE
from rig.ground import Ground
from rig.processes import wait_for
from rig.scene import SHORT, Scene
from rig.stories import JobStory, RecipeStory, Story, StudentStory
from rig.verdict import Verdict

pytestmark = [pytest.mark.platform, pytest.mark.slow, pytest.mark.timeout(300)]

# What a relay that lost messages would leave behind: rows that look sent and never were.
STEAL = """
UPDATE outbox SET published_at = clock_timestamp() WHERE (id, created_at) IN (
  SELECT id, created_at FROM outbox WHERE published_at IS NULL AND type LIKE 'ochaq.cookbook.%')
RETURNING id
"""
COPY = """
INSERT INTO cookbook_recipe (name, slug, "desc", servings, version, search_text, created_at, updated_at)
SELECT name, slug || '-copy', "desc", servings, version, search_text, created_at, updated_at
FROM cookbook_recipe WHERE id = %s
"""


def test_it_finds_what_was_tampered_with(fault_ground: Ground) -> None:
    scene = Scene(fault_ground, "tampering", limit=0, seed=1, size=SHORT, patience=6)
    told: dict[str, str] = {}

    def tamper(scene: Scene) -> None:
        databases = scene.ground.databases
        deleted, copied = _done(scene, StudentStory), _done(scene, RecipeStory)
        databases.web("DELETE FROM student WHERE id = %s", (deleted.id,))
        databases.web(COPY, (copied.id,))
        ended = _done(scene, JobStory)
        databases.web("UPDATE job SET status = 'failed' WHERE id = %s", (ended.id,))
        forgotten = _done(scene, StudentStory, but=deleted)
        _forge_removal(scene, forgotten)
        scene.ground.processes.stop("web-relay")
        wait_for(lambda: databases.web(STEAL), 30, "a stolen message", 0.05)
        scene.ground.processes.start("web-relay")
        told.update(deleted=deleted.mark, copied=copied.mark, ended=ended.mark, forgotten=forgotten.mark)

    verdict = scene.play(tamper).verdict
    assert any(told["deleted"] in text for text in verdict.lost), verdict
    assert any(told["copied"] in text for text in verdict.dup), verdict
    assert any(told["ended"] in text for text in verdict.wrong), verdict
    assert any("search finds" in text and told["forgotten"] in text for text in verdict.lost), verdict
    assert any("was shown" in text and told["forgotten"] in text for text in verdict.dup), verdict
    assert any("web never handled" in text for text in verdict.lost), verdict


def test_it_finds_nothing_where_nothing_happened(fault_ground: Ground) -> None:
    row = Scene(fault_ground, "calm", limit=0, seed=2, size=SHORT).play(lambda scene: None)
    assert not row.verdict, row
    assert row.answers_5xx == 0
    assert set(vars(Verdict())) == {"lost", "dup", "reordered", "ghosts", "wrong"}


def _done(scene: Scene, kind: type[Story], but: Story | None = None) -> Story:
    """A story of this kind that is over and went well."""

    def look() -> Story | None:
        known = [story for story in list(scene.ledger.stories) if isinstance(story, kind) and story is not but]
        return next((story for story in known if _is_over(scene, story)), None)

    return wait_for(look, 30, f"a {kind.__name__} that is over")


def _is_over(scene: Scene, story: Story) -> bool:
    if not (story.made and story.settled) or getattr(story, "removed", False):
        return False
    if isinstance(story, JobStory):
        return scene.job(story)["status"] == "succeeded"
    # Nothing more is asked about it: its last operation was answered a while ago.
    last = story.operations[-1].attempts[-1]
    return time.time() - last.at > 1


def _forge_removal(scene: Scene, story: Story) -> None:
    """An event that nothing in the database stands for."""
    event = CloudEvent.of(StudentRemoved(id=story.id), subject=f"student:{story.id}", version=99)
    scene.ground.broker.publish(Message(event.id, EVENTS_EXCHANGE, event.type, event.encode(), {}, event.type))
