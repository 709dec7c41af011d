"""Tests that measure time run alone, though the suite runs in several processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from side_by_side import Turns

Taker = Callable[[bool], tuple[threading.Event, threading.Event]]


@pytest.fixture
def take(tmp_path: Path) -> Iterator[Taker]:
    """Takes a turn in a thread, with locks of its own as another process has: (it has begun, let it end)."""
    gate, hall = tmp_path / "gate", tmp_path / "hall"
    gate.mkdir(), hall.mkdir()
    with ExitStack() as ends:

        def begin(alone: bool) -> tuple[threading.Event, threading.Event]:
            turns, begun, over = Turns(gate, hall), threading.Event(), threading.Event()

            def run() -> None:
                with turns.turn(alone=alone):
                    begun.set()
                    over.wait(10)

            thread = threading.Thread(target=run)
            thread.start()
            ends.callback(turns.pytest_unconfigure)
            ends.callback(thread.join)
            ends.callback(over.set)
            return begun, over

        yield begin


def test_ordinary_tests_run_at_once(take: Taker) -> None:
    assert take(False)[0].wait(5)
    assert take(False)[0].wait(5)


def test_one_that_is_alone_waits_for_the_others_and_they_for_it(take: Taker) -> None:
    first, first_over = take(False)
    assert first.wait(5)
    alone, alone_over = take(True)
    assert not alone.wait(0.2)
    late, _ = take(False)
    assert not late.wait(0.2), "who waits to be alone is not passed by"
    first_over.set()
    assert alone.wait(5)
    assert not late.wait(0.2)
    alone_over.set()
    assert late.wait(5)
