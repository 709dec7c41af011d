"""Pytest plugin: real servers for tests, from one of several sources, and the whole platform for those who ask for it.

`TEST_SERVERS=local` (default) starts PostgreSQL, Redis and RabbitMQ as processes of this test run on free ports, each
when the first test asks for it; `containers` asks a Docker engine through testcontainers (skipped where none answers);
`external` reads the addresses of running servers from `.local/servers.json` (or the file that `TEST_SERVERS_FILE`
names), as `python3 deploy/local servers` writes it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "local"))

from ochaq_platform import Platform, started
from ochaq_sources import Source, containers, external, local
from server_addresses import Servers

SOURCES: dict[str, Callable[[], Source]] = {"local": local, "containers": containers, "external": external}


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    name = os.environ.get("TEST_SERVERS", "local")
    if name not in SOURCES:
        pytest.exit(f"TEST_SERVERS={name} is unknown: it is one of {', '.join(SOURCES)}.", returncode=4)
    source = SOURCES[name]()
    found = Servers(source)
    yield found
    found.clean()
    source.close()


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """The whole platform on free ports, with data of its own; for tests marked `platform`."""
    with started() as running:
        yield running
