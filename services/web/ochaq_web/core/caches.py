"""Redis as a cache that nobody depends on: while it is away it answers like an empty cache."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import redis
import structlog
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from prometheus_client import Counter

log = structlog.get_logger(__name__)

MISSED = Counter("ochaq_cache_unavailable_total", "Cache calls that Redis could not answer")
REST_SECONDS = 1.0
# When Redis failed to answer, by its address: caches are made per thread, and each would pay the time limit again.
_away_until: dict[str, float] = {}


def _forgiving(instead: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(self: ForgivingRedisCache, *args: Any, **kwargs: Any) -> Any:
            if time.monotonic() >= _away_until.get(self.address, 0):
                try:
                    return method(self, *args, **kwargs)
                except redis.RedisError as error:
                    _away_until[self.address] = time.monotonic() + REST_SECONDS
                    log.warning("cache.unavailable", error=type(error).__name__)
            MISSED.inc()
            return instead(*args, **kwargs)

        return call

    return decorate


def _default(key: Any, default: Any = None, version: Any = None) -> Any:
    return default


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache, minus the exceptions when Redis is away. OPTIONS may hold `longest`: a cap on lifetimes."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = dict(params.get("OPTIONS", {}))
        self.longest: float | None = options.pop("longest", None)
        self.address = server
        super().__init__(server, {**params, "OPTIONS": options})

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> float | None:
        seconds: float | None = super().get_backend_timeout(timeout)
        if self.longest is None:
            return seconds
        return self.longest if seconds is None else min(seconds, self.longest)

    # `add` is how callers take a short lock: without Redis each goes on alone.
    add = _forgiving(lambda *args, **kwargs: True)(RedisCache.add)
    get = _forgiving(_default)(RedisCache.get)
    set = _forgiving(lambda *args, **kwargs: None)(RedisCache.set)
    touch = _forgiving(lambda *args, **kwargs: False)(RedisCache.touch)
    delete = _forgiving(lambda *args, **kwargs: False)(RedisCache.delete)
    get_many = _forgiving(lambda *args, **kwargs: {})(RedisCache.get_many)
    has_key = _forgiving(lambda *args, **kwargs: False)(RedisCache.has_key)
    set_many = _forgiving(lambda data, *args, **kwargs: list(data))(RedisCache.set_many)
    delete_many = _forgiving(lambda *args, **kwargs: None)(RedisCache.delete_many)
    clear = _forgiving(lambda *args, **kwargs: False)(RedisCache.clear)
