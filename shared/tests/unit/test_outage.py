"""Whoever finds PostgreSQL away tells the others; one at a time tries again."""

from __future__ import annotations

import threading
import time

import psycopg
from ochaq_shared.postgres import Outage


def is_open(outage: Outage) -> bool:
    try:
        outage.enter()
    except psycopg.OperationalError:
        return False
    return True


def test_after_a_failure_everybody_fails_at_once() -> None:
    outage = Outage(rest=60)
    assert not outage.is_known
    outage.failed(outage.enter())
    assert outage.is_known
    assert not is_open(outage)
    assert not is_open(outage)


def test_after_the_rest_one_caller_tries_and_the_others_do_not_wait_for_him() -> None:
    outage = Outage(rest=0.05, trial=60)
    outage.failed(outage.enter())
    time.sleep(0.06)
    assert [is_open(outage) for _ in range(3)] == [True, False, False]


def test_an_answer_opens_the_way_for_all() -> None:
    outage = Outage(rest=0.05, trial=60)
    outage.failed(outage.enter())
    time.sleep(0.06)
    outage.enter()
    outage.answered()
    assert not outage.is_known
    assert [is_open(outage) for _ in range(3)] == [True, True, True]


def test_a_trial_that_never_ends_is_forgotten() -> None:
    outage = Outage(rest=0.01, trial=0.05)
    outage.failed(outage.enter())
    time.sleep(0.02)
    assert [is_open(outage), is_open(outage)] == [True, False]
    time.sleep(0.06)
    assert is_open(outage)


def test_one_slow_statement_is_no_outage_while_others_are_answered() -> None:
    outage = Outage(rest=60)
    slow = outage.enter()
    outage.enter()
    outage.answered()
    outage.failed(slow)
    assert is_open(outage)


def test_of_many_who_come_at_once_one_tries() -> None:
    outage = Outage(rest=0.01, trial=60)
    outage.failed(outage.enter())
    time.sleep(0.02)
    barrier, tried = threading.Barrier(8), []

    def come() -> None:
        barrier.wait()
        tried.append(is_open(outage))

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(tried) == [False] * 7 + [True]
