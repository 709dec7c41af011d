"""Every fault of the matrix once, in its short form; `make test-faults` runs them at length and with many seeds."""

from __future__ import annotations

import os
import random

import matrix  # noqa: F401 - registers the faults
import pytest
from rig import faults
from rig.ground import Ground
from rig.scene import SHORT

pytestmark = [pytest.mark.platform, pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def seed() -> int:
    """A new one each time, so that many runs see many orders; `SEED` repeats one."""
    return int(os.environ.get("SEED") or random.randrange(1, 10_000))


@pytest.mark.parametrize("name", faults.known())
def test_nothing_acknowledged_is_lost_or_done_twice(fault_ground: Ground, seed: int, name: str) -> None:
    fault = faults.known()[name]
    row = fault.play(fault_ground, seed, SHORT)
    print(row)
    assert row.is_good, f"{fault.title}, SEED={seed}\n{row}"
