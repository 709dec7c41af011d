"""Doing things by the clock, one process of the site at a time."""

import threading
import time

import psycopg
import pytest
from django.db import connection, transaction
from ochaq_web.config.environment import environment
from ochaq_web.core import events
from ochaq_web.core.events import Ticker
from ochaq_web.core.locks import advisory_lock
from ochaq_web.core.ticking import Ticking, tick

pytestmark = pytest.mark.django_db(transaction=True)
LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"


def test_a_tick_runs_and_gives_its_lock_back():
    done = []
    for _ in range(2):
        tick(Ticker("soup", 1, lambda: done.append(1)))
    assert done == [1, 1]
    with psycopg.connect(environment().database_url) as other:
        assert other.execute(LOCK, ("ticker:soup",)).fetchone() == (True,)


def test_while_another_process_is_at_it_nothing_happens():
    done = []
    with psycopg.connect(environment().database_url) as other:
        other.execute(LOCK, ("ticker:soup",))
        tick(Ticker("soup", 1, lambda: done.append(1)))
    assert done == []


def test_a_tick_that_fails_does_not_keep_the_next_from_running():
    def fail():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")

    done = []
    tick(Ticker("soup", 1, fail))
    tick(Ticker("soup", 1, lambda: done.append(1)))
    assert done == [1]


def test_tickers_run_until_they_are_stopped():
    seen = threading.Event()
    ticking = Ticking([Ticker("soup", 0.05, seen.set)])
    ticking.start()
    assert seen.wait(5)
    ticking.stop()
    ticking.join()
    seen.clear()
    time.sleep(0.2)
    assert not seen.is_set()


def test_the_lock_tells_who_has_it():
    with advisory_lock("stew") as ours:
        assert ours
        with psycopg.connect(environment().database_url) as other:
            assert other.execute(LOCK, ("stew",)).fetchone() == (False,)


def test_every_registered_ticker_works():
    for ticker in events.tickers():
        ticker.run()


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="twice"):
        events.register_ticker("core.sweep", 1, lambda: None)
