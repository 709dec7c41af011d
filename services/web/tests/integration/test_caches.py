"""A cache that nobody depends on."""

import time

import pytest
from django.core.cache import cache, caches
from ochaq_web.core import caches as ours
from ochaq_web.core.caches import ForgivingRedisCache


@pytest.fixture
def away(monkeypatch):
    monkeypatch.setattr(ours, "_away_until", {})
    return ForgivingRedisCache("redis://127.0.0.1:9/0", {"OPTIONS": {"socket_connect_timeout": 0.2}})


def test_with_redis_it_is_a_cache():
    cache.set("dish", "çorba", 10)
    assert cache.get("dish") == "çorba"
    assert cache.add("dish", "pilav") is False
    cache.delete("dish")
    assert cache.get("dish", "nothing") == "nothing"


def test_without_redis_it_is_an_empty_one(away):
    away.set("dish", "çorba")
    assert away.get("dish") is None
    assert away.get("dish", "nothing") == "nothing"
    assert away.get_many(["a", "b"]) == {}
    assert away.add("lock", 1) is True
    assert away.delete("dish") is False
    assert away.set_many({"a": 1}) == ["a"]
    assert away.get_or_set("dish", lambda: "fresh") == "fresh"


@pytest.mark.alone
def test_a_redis_that_is_away_is_not_asked_again_for_a_second(away):
    away.get("a")
    began = time.perf_counter()
    for _ in range(1000):
        away.get("a")
    assert time.perf_counter() - began < 0.5


def test_copies_of_sessions_live_a_minute_at_most():
    sessions = caches["sessions"]
    sessions.set("s", 1, 14 * 24 * 3600)
    assert 0 < sessions._cache.get_client(None).ttl(sessions.make_and_validate_key("s")) <= 60


@pytest.mark.django_db
def test_people_stay_signed_in_while_redis_is_away(browser, monkeypatch):
    client = browser("manager")
    monkeypatch.setattr(ours, "_away_until", {caches["sessions"].address: time.monotonic() + 60})
    assert client.get("/api/v1/users/me/").status_code == 200
    assert client.post("/accounts/logout/").status_code == 302
    assert client.get("/api/v1/users/me/").status_code == 401
