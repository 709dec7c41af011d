"""The whole platform, started once for these tests on free ports; and the story's modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ochaq_servers import Platform

sys.path.insert(0, str(Path(__file__).parents[1] / "story"))

from campus import Campus


@pytest.fixture(scope="session")
def campus(platform: Platform) -> Iterator[Campus]:
    found = Campus.of(platform.state)
    yield found
    found.close()
