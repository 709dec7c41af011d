"""Answers are remembered exactly as long as their index is the newest."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ochaq_search.engines.base import StudentRow
from ochaq_search.engines.tantivy.engine import TantivyEngine
from ochaq_search.engines.tantivy.reader import TantivyReader
from ochaq_search.students import StudentSearch
from ochaq_shared.problems import Problem

ANN = StudentRow(1, "Ann", "Lee", "ann@example.com", False, 1)


def test_an_answer_is_remembered_until_the_next_commit(
    engine: TantivyEngine, indexed: Callable[..., TantivyReader]
) -> None:
    reader = indexed(ANN)
    search = StudentSearch(reader, remembered=10)
    first = search.find("ann", limit=25, offset=0)
    assert search.find("ann", limit=25, offset=0) is first
    assert search.find("ann", limit=24, offset=0) is not first
    writer = engine.writer()
    assert writer is not None
    writer.put_if_newer(ANN._replace(id=2, first_name="Anna"))
    writer.commit()
    assert search.find("ann", limit=25, offset=0) is first
    reader.refresh()
    assert [hit.first_name for hit in search.find("ann", limit=25, offset=0).hits] == ["Ann", "Anna"]


def test_only_the_latest_answers_are_kept(indexed: Callable[..., TantivyReader]) -> None:
    search = StudentSearch(indexed(ANN), remembered=2)
    ann = search.find("ann", limit=25, offset=0)
    for other in ("bob", "ann", "cem", "ann"):
        search.find(other, limit=25, offset=0)
    assert search.find("ann", limit=25, offset=0) is ann
    search.find("bob", limit=25, offset=0)
    search.find("cem", limit=25, offset=0)
    assert search.find("ann", limit=25, offset=0) is not ann


def test_without_an_index_there_is_a_problem_to_retry(engine: TantivyEngine) -> None:
    with pytest.raises(Problem) as raised:
        StudentSearch(engine.reader(), remembered=2).find("ann", limit=25, offset=0)
    assert (raised.value.status, raised.value.code, raised.value.retry_after) == (503, "search.index_missing", 1)
