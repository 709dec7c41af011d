"""The whole platform, started once for these tests on free ports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from campus import Campus
from ochaq_servers import Platform


@pytest.fixture(scope="session")
def campus(platform: Platform) -> Iterator[Campus]:
    found = Campus.of(platform.state)
    yield found
    found.close()
