"""An index in a temporary directory, and rows to put into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ochaq_search.engines.base import StudentRow
from ochaq_search.engines.tantivy.engine import TantivyEngine
from ochaq_search.engines.tantivy.reader import TantivyReader

WRITER_BYTES = 15_000_000

MakeReader = Callable[..., TantivyReader]


@pytest.fixture
def engine(tmp_path: Path) -> TantivyEngine:
    return TantivyEngine(tmp_path / "index", writer_bytes=WRITER_BYTES)


@pytest.fixture
def indexed(engine: TantivyEngine) -> MakeReader:
    """Call it with rows: an index of them is made live, and its reader given back."""

    def make(*rows: StudentRow) -> TantivyReader:
        building = engine.building()
        building.put(rows)
        building.commit()
        engine.publish(building)
        return engine.reader()

    return make
