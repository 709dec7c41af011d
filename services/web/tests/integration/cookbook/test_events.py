"""The second pair of hands: events of recipes forget what is rendered."""

from __future__ import annotations

import pytest
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.cookbook import RecipeChanged, RecipePublished, RecipeRemoved
from ochaq_web.cookbook import rendered
from ochaq_web.cookbook.rendered import Rendering, answer
from ochaq_web.core.events import handlers

FACTS = [RecipePublished, RecipeChanged, RecipeRemoved]


def _event(fact: type[RecipeChanged]) -> tuple[CloudEvent, RecipeChanged]:
    what = fact(id=1, slug="plov", name="Plov", version=2)
    return CloudEvent.of(what, subject="recipe:1", version=2), what


@pytest.mark.parametrize("fact", FACTS)
def test_each_event_forgets(fact: type[RecipeChanged]) -> None:
    answer("test", "events", lambda: Rendering(b"old"))
    handlers()[fact](*_event(fact))
    assert answer("test", "events", lambda: Rendering(b"new")).body == b"new"


def test_while_redis_is_away_the_event_fails_and_will_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = rendered.Store("redis://127.0.0.1:9/0")
    monkeypatch.setattr(rendered, "store", lambda: nowhere)
    with pytest.raises(rendered.Away):
        handlers()[RecipeChanged](*_event(RecipeChanged))
