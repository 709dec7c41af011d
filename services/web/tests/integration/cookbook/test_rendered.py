"""The cache of rendered answers on a real Redis: hits, stampedes, commits, rollbacks, and Redis away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction
from ochaq_web.cookbook import rendered
from ochaq_web.cookbook.rendered import Answer, Rendering, answer

KEY = "somsa"


class Kitchen:
    """Renders a new word each time and counts."""

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds
        self.count = 0
        self.lock = threading.Lock()

    def __call__(self) -> Rendering:
        with self.lock:
            self.count += 1
            word = f"word {self.count}"
        time.sleep(self.seconds)
        return Rendering(word.encode())


def ask(kitchen: Callable[[], Rendering], key: str = KEY) -> Answer:
    return answer("test", key, kitchen)


def test_the_first_answer_is_a_miss_and_the_second_a_hit() -> None:
    kitchen = Kitchen()
    first, second = ask(kitchen), ask(kitchen)
    assert (first.status, second.status) == ("miss", "hit")
    assert first.body == second.body == b"word 1"
    assert first.etag == second.etag
    assert "hit" not in first.cache_status
    assert second.cache_status.startswith("ochaq-web; hit; ttl=")
    assert 50 <= second.ttl <= 66


def test_twenty_at_once_are_one_rendering() -> None:
    kitchen = Kitchen(seconds=0.2)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ask(kitchen), range(20)))
    assert kitchen.count == 1
    assert {found.body for found in answers} == {b"word 1"}


@pytest.mark.alone
def test_when_only_the_time_is_up_one_renders_and_the_others_get_the_old_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendered, "FRESH_SECONDS", 0.05)
    ask(Kitchen())
    time.sleep(0.1)
    kitchen = Kitchen(seconds=0.4)
    with ThreadPoolExecutor(10) as pool:
        renderer = pool.submit(ask, kitchen)
        time.sleep(0.1)
        began = time.monotonic()
        others = list(pool.map(lambda _: ask(kitchen), range(9)))
        assert time.monotonic() - began < 0.25
        assert renderer.result().status == "miss"
    assert kitchen.count == 1
    assert {found.status for found in others} == {"hit"}
    assert all(found.ttl <= 0 for found in others)


def test_after_a_change_nobody_gets_the_old_bytes() -> None:
    ask(lambda: Rendering(b"old"))
    rendered.forget()
    kitchen = Kitchen(seconds=0.2)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: ask(kitchen), range(10)))
    assert kitchen.count == 1
    assert {found.body for found in answers} == {b"word 1"}


def test_what_was_rendered_across_a_change_is_not_kept() -> None:
    """The rows were read before the change, so the bytes may be of yesterday: nobody else may get them."""

    def across() -> Rendering:
        rendered.forget()
        return Rendering(b"yesterday")

    ask(across)
    assert ask(lambda: Rendering(b"today")).body == b"today"


@pytest.mark.django_db(transaction=True)
def test_a_commit_forgets_and_a_rollback_does_not() -> None:
    kitchen = Kitchen()
    ask(kitchen)
    with transaction.atomic():
        rendered.forget_after_commit()
        transaction.set_rollback(True)
    assert ask(kitchen).status == "hit"
    with transaction.atomic():
        rendered.forget_after_commit()
        rendered.forget_after_commit()
        assert ask(kitchen).status == "hit"
    assert ask(kitchen).status == "miss"


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_savepoint_takes_only_its_own_forgetting_with_it() -> None:
    kitchen = Kitchen()
    ask(kitchen)
    with transaction.atomic():
        with transaction.atomic():
            rendered.forget_after_commit()
            transaction.set_rollback(True)
        rendered.forget_after_commit()
    assert ask(kitchen).status == "miss"


def test_a_renderer_that_fails_leaves_the_way_free() -> None:
    def fail() -> Rendering:
        raise LookupError("no such recipe")

    with pytest.raises(LookupError):
        ask(fail)
    began = time.monotonic()
    assert ask(Kitchen()).status == "miss"
    assert time.monotonic() - began < 1


def test_who_waits_too_long_renders_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendered, "WAIT_SECONDS", 0.1)
    rendered.store().call(lambda client: client.set("web:cookbook:test:stuck:lock", "somebody", px=5000))
    assert ask(Kitchen(), "stuck").status == "bypass"


@pytest.mark.alone
def test_without_redis_every_answer_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendered, "store", lambda: nowhere)
    nowhere = rendered.Store("redis://127.0.0.1:9/0")
    kitchen = Kitchen()
    began = time.monotonic()
    answers = [ask(kitchen) for _ in range(20)]
    assert time.monotonic() - began < 1
    assert {found.status for found in answers} == {"bypass"}
    assert kitchen.count == 20
    rendered.forget()
    with pytest.raises(rendered.Away):
        rendered.forget_strictly()


def test_a_flushed_redis_only_costs_a_rendering() -> None:
    kitchen = Kitchen()
    ask(kitchen)
    rendered.store().call(lambda client: client.flushdb())
    assert ask(kitchen).status == "miss"
    assert ask(kitchen).status == "hit"


def test_bytes_in_another_format_are_as_good_as_none() -> None:
    rendered.store().call(lambda client: client.set("web:cookbook:test:odd", b"\xffnonsense"))
    assert ask(Kitchen(), "odd").status == "miss"


def test_bypassed_renders_and_stores_nothing() -> None:
    kitchen = Kitchen()
    with rendered.bypassed():
        assert [ask(kitchen).status for _ in range(2)] == ["bypass", "bypass"]
    assert ask(kitchen).status == "miss"
