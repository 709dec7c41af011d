"""The database and the caches."""

import sys
from typing import Any

from ochaq_shared.postgres import BoundedConnection
from psycopg.conninfo import conninfo_to_dict

from ochaq_web.config.environment import environment

# A statement whose client is gone ends, and so does a transaction that its client forgot: what they lock is wanted.
SERVER_SIDE = "-c client_connection_check_interval=1000 -c idle_in_transaction_session_timeout=60000"
# A machine that vanished without a word is noticed; a server that is only frozen is not (ochaq_shared.postgres).
TCP = {"keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 8000}


def database(url: str, threads: int) -> dict[str, Any]:
    """Django's entry for a PostgreSQL URL, with a pool that has a connection for each thread and two to spare."""
    parts = conninfo_to_dict(url)
    known = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER", "password": "PASSWORD"}
    entry: dict[str, Any] = {known[key]: value for key, value in parts.items() if key in known}
    rest = {key: value for key, value in parts.items() if key not in known}
    options = {"connect_timeout": 2, "application_name": "ochaq-web", "options": SERVER_SIDE, **TCP, **rest}
    # Django switches preparing off. Like this, what asks to be prepared is, and nothing else ever becomes so.
    options["prepare_threshold"] = sys.maxsize
    # The pool gives up early on both sides: a dead database becomes a quick 503 instead of a queue of threads, and a
    # database that is back is found by the next request, not at the end of the pool's growing pauses.
    pool = {
        "connection_class": BoundedConnection,
        "min_size": 1,
        "max_size": threads + 2,
        "timeout": 1.5,
        "reconnect_timeout": 0.5,
        "max_idle": 120,
    }
    return {
        "ENGINE": "ochaq_web.core.postgres",
        **entry,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**options, "pool": pool},
    }


def redis_cache(url: str, prefix: str, **options: Any) -> dict[str, Any]:
    """A cache that answers like an empty one while Redis is away: Redis holds nothing that is not elsewhere too."""
    return {
        "BACKEND": "ochaq_web.core.caches.ForgivingRedisCache",
        "LOCATION": url,
        "KEY_PREFIX": prefix,
        "OPTIONS": {"socket_connect_timeout": 0.25, "socket_timeout": 0.5, **options},
    }


DATABASES = {"default": database(environment().database_url, environment().web_threads)}
CACHES = {
    "default": redis_cache(environment().cache_url, "web"),
    # Sessions live in PostgreSQL; a copy in Redis may outlive a logout that Redis missed by one minute at most.
    "sessions": redis_cache(environment().cache_url, "session", longest=60),
}
