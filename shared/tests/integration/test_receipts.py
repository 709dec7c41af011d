"""Receipts on a real Redis: what is written is found, and a Redis that is away costs a consumer next to nothing."""

from __future__ import annotations

import time

import pytest
from free_ports import free_port
from ochaq_servers import Servers
from ochaq_shared import receipts
from ochaq_shared.ids import uuid7
from ochaq_shared.receipts import Receipts
from redis import Redis
from redis.exceptions import RedisError


@pytest.fixture
def url(servers: Servers) -> str:
    return servers.redis_url(9)


def test_what_a_queue_settled_is_not_missing_there_but_elsewhere(url: str) -> None:
    ids = [uuid7() for _ in range(100)]
    ours = Receipts(url)
    ours.settled("q.a", ids[:60])
    ours.flush()
    assert ours.missing("q.a", ids) == ids[60:]
    assert ours.missing("q.b", ids[:3]) == ids[:3]
    assert ours.missing("q.a", []) == []
    ours.close()


def test_receipts_are_forgotten_after_a_while(url: str) -> None:
    ours = Receipts(url)
    ours.settled("q.a", [uuid7()])
    ours.close()
    with Redis.from_url(url) as redis:
        (key,) = redis.keys("receipts:q.a:*")
        assert 0 < redis.ttl(key) <= receipts.KEEP_SECONDS
        assert redis.scard(key) == 1


def test_a_busy_consumer_writes_seldom_and_nothing_is_left_behind(url: str) -> None:
    ids = [uuid7() for _ in range(500)]
    ours = Receipts(url)
    with Redis.from_url(url) as redis:
        before = redis.info("stats")["total_commands_processed"]
        for event_id in ids:
            ours.settled("q.a", [event_id])
        ours.close()
        assert redis.info("stats")["total_commands_processed"] - before < 50
    assert Receipts(url).missing("q.a", ids) == []


def test_without_redis_settling_neither_fails_nor_hangs_and_asking_says_so() -> None:
    port = free_port()
    ours = Receipts(f"redis://127.0.0.1:{port}/0")
    began = time.monotonic()
    for _ in range(1000):
        ours.settled("q.a", [uuid7()])
    assert time.monotonic() - began < 2
    with pytest.raises(RedisError):
        ours.missing("q.a", [uuid7()])
    ours.close()


def test_what_redis_did_not_take_is_kept_for_later(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "PAUSE_SECONDS", 0.0)
    ids = [uuid7() for _ in range(10)]
    ours = Receipts(url)
    port = free_port()
    there, ours._redis = ours._redis, Redis(port=port)
    ours.settled("q.a", ids)
    ours._redis.close()
    ours._redis = there
    ours.flush()
    assert ours.missing("q.a", ids) == []
    ours.close()


def test_an_id_that_is_no_uuid_is_passed_over(url: str) -> None:
    ours = Receipts(url)
    ours.settled("q.a", ["", "x", "job-1"])
    ours.close()
    with Redis.from_url(url) as redis:
        assert redis.keys("receipts:q.a:*") == []
