"""One platform of its own for everything in this folder: it is broken on purpose, again and again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rig.ground import Ground, ground


@pytest.fixture(scope="package")
def fault_ground() -> Iterator[Ground]:
    with ground() as found:
        yield found
