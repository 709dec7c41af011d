"""Django's settings for mypy's plugin, which wants to import them: real ones over an environment of placeholders."""

from __future__ import annotations

import os

_NOWHERE = "http://127.0.0.1:9"

for _name, _value in {
    "MODE": "test",
    "PUBLIC_URL": _NOWHERE,
    "BIND_PORT": "1",
    "SIGNING_KEY_FILE": "/dev/null",
    "JWKS_FILE": "/dev/null",
    "AMQP_URL": "amqp://127.0.0.1:9",
    "REDIS_URL": "redis://127.0.0.1:9/0",
    "CACHE_URL": "redis://127.0.0.1:9/1",
    "DATABASE_URL": "postgresql://127.0.0.1:9/none",
    "WEB_URL": _NOWHERE,
    "FILES_URL": _NOWHERE,
    "SEARCH_URL": _NOWHERE,
    "REALTIME_URL": _NOWHERE,
    "SECRET_KEY": "placeholder of at least thirty-two characters",
    "STATIC_ROOT": "/nonexistent",
}.items():
    os.environ.setdefault(f"OCHAQ_{_name}", _value)

from ochaq_web.config.settings import *  # noqa: E402, F403
