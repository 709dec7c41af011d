"""Jobs in every state, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ochaq_web.jobs import services
from ochaq_web.jobs.models import Job

Make = Callable[..., Job]


@pytest.fixture
def owner(make_user: Any) -> Any:
    return make_user("manager")


@pytest.fixture
def enqueue(owner: Any) -> Make:
    """enqueue("test.steps", {"steps": 3}) → a queued job; a `test.noop` when nothing is said."""

    def make(kind: str = "test.noop", params: dict[str, Any] | None = None) -> Job:
        return services.job_enqueue(kind=kind, params=params or {}, owner=owner)

    return make


@pytest.fixture
def running(enqueue: Make) -> Make:
    """As `enqueue`, and claimed by `host:1`."""

    def make(*what: Any) -> Job:
        return services.job_claim(job_id=enqueue(*what).id, worker="host:1")

    return make
