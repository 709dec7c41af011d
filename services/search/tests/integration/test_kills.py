"""An indexer killed at any instant: the index opens, holds what was committed, and goes on."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ochaq_search.engines.tantivy.engine import TantivyEngine

ROWS = 400
# Commits batches for ever and says after each commit how many students there are.
PROGRAM = """
import sys
from pathlib import Path
from ochaq_search.engines.base import StudentRow
from ochaq_search.engines.tantivy.engine import TantivyEngine

engine = TantivyEngine(Path(sys.argv[1]), writer_bytes=15_000_000)
writer = engine.writer()
if writer is None:
    writer = engine.building()
    writer.commit()
    engine.publish(writer)
while True:
    first = writer.documents + 1
    writer.put(StudentRow(n, "Ann", "Lee", f"a{n}@example.com", True, 1) for n in range(first, first + ROWS))
    writer.commit()
    print(writer.documents, flush=True)
""".replace("ROWS", str(ROWS))


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
def test_an_index_survives_a_kill_at_any_instant(tmp_path: Path, kills: int) -> None:
    rnd = random.Random(11)
    engine = TantivyEngine(tmp_path / "index", writer_bytes=15_000_000)
    committed = 0
    for _ in range(kills):
        with subprocess.Popen([sys.executable, "-c", PROGRAM, str(engine.root)], stdout=subprocess.PIPE) as process:
            assert process.stdout
            said = [process.stdout.readline()]
            time.sleep(rnd.uniform(0.0, 0.15))
            process.send_signal(signal.SIGKILL)
            said += process.stdout.readlines()
        whole = [int(line) for line in said if line.endswith(b"\n")]
        assert whole[0] >= committed
        committed = whole[-1]
        reader = engine.reader()
        found = reader.search("ann", limit=1, offset=0).total
        # The kill may fall between a commit and what was said of it; never between a commit and its being there.
        assert found >= committed - ROWS
        writer = engine.writer()
        assert writer is not None
        assert writer.documents in {committed, committed + ROWS}
        reader.refresh()
        assert reader.search("ann", limit=1, offset=0).total == writer.documents
        committed = writer.documents
        writer.close()
