"""Django for these tests, on real servers: settings from a test environment, then a fresh database and Redis per run.

Django is set up when this file is imported, because test modules import models; the servers' addresses are known only
once the `servers` fixture ran, so a session fixture puts them in before the first test.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

KEYS = Path(tempfile.mkdtemp(prefix="ochaq-web-tests-"))
atexit.register(shutil.rmtree, KEYS, ignore_errors=True)
NOWHERE = "127.0.0.1:9"  # the discard port: nothing may be reached before the fixtures said where

# What these tests' processes find in their environment. Put there for the import of Django's settings and for each test
# of this service, and taken away again: tests of other services may run in the same process.
ENVIRONMENT = {
    "OCHAQ_MODE": "test",
    "OCHAQ_PUBLIC_URL": "http://testserver",
    "OCHAQ_BIND_PORT": "1",
    "OCHAQ_SIGNING_KEY_FILE": str(KEYS / "web.pem"),
    "OCHAQ_JWKS_FILE": str(KEYS / "jwks.json"),
    "OCHAQ_AMQP_URL": f"amqp://{NOWHERE}",
    "OCHAQ_REDIS_URL": f"redis://{NOWHERE}/0",
    "OCHAQ_CACHE_URL": f"redis://{NOWHERE}/1",
    "OCHAQ_DATABASE_URL": f"postgresql://{NOWHERE}/none",
    "OCHAQ_WEB_URL": "http://testserver",
    "OCHAQ_FILES_URL": f"http://{NOWHERE}",
    "OCHAQ_SEARCH_URL": f"http://{NOWHERE}",
    "OCHAQ_REALTIME_URL": f"http://{NOWHERE}",
    "OCHAQ_SECRET_KEY": "a secret of the tests, long enough to be one",
    "OCHAQ_STATIC_ROOT": str(KEYS / "static"),
}
os.environ["DJANGO_SETTINGS_MODULE"] = "ochaq_web.config.settings"
os.environ.update(ENVIRONMENT)

from ochaq_shared.identity import Signer, create_keys  # noqa: E402

create_keys(KEYS, ["web", "worker", "realtime", "files", "search"])

import django  # noqa: E402
import structlog  # noqa: E402

# Plain lines that pytest shows with a failing test; the pretty default draws every traceback as a picture, slowly.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["event"]),
    ],
    cache_logger_on_first_use=False,
)

django.setup()
# Nor for processes of this test run: pytest-django would set Django up in them before this file said with what.
for _name in (*ENVIRONMENT, "DJANGO_SETTINGS_MODULE"):
    del os.environ[_name]

from django.apps import apps  # noqa: E402
from django.conf import settings as django_settings  # noqa: E402
from django.contrib.auth.models import Group  # noqa: E402
from django.core.cache import caches  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.db.models.signals import post_migrate  # noqa: E402
from django.test import Client  # noqa: E402
from ochaq_web.accounts.models import User  # noqa: E402
from ochaq_web.config.environment import environment  # noqa: E402
from ochaq_web.config.settings.storage import database  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402

PASSWORD = "salt and pepper 42"
Make = Callable[..., Any]


@pytest.fixture(scope="session")
def web_environment(servers: Any) -> Any:
    """The settings object and Django's settings, pointing at this run's servers."""
    ENVIRONMENT["OCHAQ_DATABASE_URL"] = servers.database("web")
    # Not flushed, because another test run may share the server: keys of this run have a prefix of its own.
    ENVIRONMENT["OCHAQ_REDIS_URL"] = f"{servers.redis}/12"
    ENVIRONMENT["OCHAQ_CACHE_URL"] = f"{servers.redis}/13"
    environment.cache_clear()
    with mock.patch.dict(os.environ, ENVIRONMENT):
        environment()
    entry = database(environment().database_url, threads=4)
    # Tests open and drop connections at will, for which a pool would only be in the way.
    del entry["OPTIONS"]["pool"]
    connections["default"].settings_dict.update(entry)
    for name, cache in django_settings.CACHES.items():
        cache["LOCATION"] = environment().cache_url
        cache["KEY_PREFIX"] += f"-{KEYS.name}"
        # One that was made during an import would go on talking to nowhere.
        if hasattr(caches._connections, name):
            del caches[name]
    return environment()


@pytest.fixture(scope="session")
def process_environment(web_environment: Any) -> dict[str, str]:
    """The environment for a process of this service that a test starts."""
    return {**os.environ, **ENVIRONMENT}


@pytest.fixture(scope="session")
def django_db_setup(web_environment: Any, django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """The database of this run, with every migration applied."""
    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0, interactive=False)
        # A transactional test empties every table when it ends, and says so as a migration does.
        post_migrate.connect(_roles, sender=apps.get_app_config("accounts"))
    yield
    with django_db_blocker.unblock():
        connections.close_all()


def _roles(**_: object) -> None:
    """The groups that a migration made: other tests may come after one that emptied the tables."""
    import_module("ochaq_web.accounts.migrations.0002_roles").create(apps, None)


@pytest.fixture(autouse=True)
def _servers_before_everything(web_environment: Any) -> Iterator[None]:
    """No test may run on the addresses that lead nowhere; processes that a test starts find the same environment."""
    with mock.patch.dict(os.environ, ENVIRONMENT):
        yield


@pytest.fixture
def make_user(db: None) -> Make:
    """make_user("manager", email=…) → a saved user with those roles and the password PASSWORD."""

    def make(*roles: str, email: str | None = None, **fields: Any) -> User:
        name = "-".join(roles) or "nobody"
        user = User.objects.create_user(email or f"{name}-{User.objects.count()}@example.com", PASSWORD, **fields)
        # Tests with real commits end by truncating every table, the migration's groups too.
        user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
        return User.objects.get(pk=user.pk)

    return make


@pytest.fixture
def api(make_user: Make) -> Make:
    """api("manager") → an API client with that role's access token; api() → an anonymous one."""
    from ochaq_web.accounts.services import tokens_issue

    def client(*roles: str, user: User | None = None) -> APIClient:
        made = APIClient()
        if roles or user:
            tokens = tokens_issue(user=user or make_user(*roles))
            made.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access}")
        return made

    return client


@pytest.fixture
def browser(make_user: Make) -> Make:
    """browser("manager") → a Django test client with that role's session; browser() → a visitor."""

    def client(*roles: str, user: User | None = None) -> Client:
        made = Client()
        if roles or user:
            made.force_login(user or make_user(*roles))
        return made

    return client


@pytest.fixture
def service_client() -> Make:
    """service_client("worker") → an API client that calls /internal/v1/ with that service's token."""

    def client(name: str) -> APIClient:
        made = APIClient()
        token = Signer(KEYS / f"{name}.pem", name).sign("web", f"service:{name}")
        made.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return made

    return client


@pytest.fixture(autouse=True)
def _leave_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests with real commits are cleaned up by truncating Django's tables; the spine's tables are not among them."""
    yield
    marker = request.node.get_closest_marker("django_db")
    if (marker and marker.kwargs.get("transaction")) or "transactional_db" in request.fixturenames:
        blocker = request.getfixturevalue("django_db_blocker")
        with blocker.unblock(), connections["default"].cursor() as cursor:
            cursor.execute("TRUNCATE outbox, inbox, projection_version, idempotency")
