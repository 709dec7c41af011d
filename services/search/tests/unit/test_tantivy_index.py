"""The embedded index: what a commit, a crash, a swap and a vanished disk mean."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ochaq_search.engines import EngineNotBuilt, open_engine
from ochaq_search.engines.base import EngineUnavailable, StudentRow
from ochaq_search.engines.tantivy import pointer, schema
from ochaq_search.engines.tantivy.engine import TantivyEngine
from ochaq_search.engines.tantivy.reader import TantivyReader
from ochaq_search.engines.tantivy.watching import DirectoryWatch
from ochaq_search.engines.tantivy.writer import TantivyWriter

Indexed = Callable[..., TantivyReader]


def row(number: int, first: str = "Ann", last: str = "Lee", *, demo: bool = False, version: int = 1) -> StudentRow:
    return StudentRow(number, first, last, f"{first}.{last}{number}@example.com".lower(), demo, version)


def names(reader: TantivyReader, query: str) -> list[str]:
    reader.refresh()
    return sorted(hit.first_name for hit in reader.search(query, limit=200, offset=0).hits)


def writer_of(engine: TantivyEngine) -> TantivyWriter:
    writer = engine.writer()
    assert writer is not None
    return writer


def test_nothing_is_visible_before_the_commit_and_nothing_lost_after_it(
    engine: TantivyEngine, indexed: Indexed
) -> None:
    reader = indexed(row(1))
    writer = writer_of(engine)
    writer.put_if_newer(row(2, "Bob"))
    assert names(reader, "bob") == []
    writer.commit()
    assert names(reader, "bob") == ["Bob"]
    writer.close()
    assert names(engine.reader(), "bob") == ["Bob"]


def test_a_rollback_forgets_what_was_not_committed(engine: TantivyEngine, indexed: Indexed) -> None:
    reader = indexed(row(1))
    writer = writer_of(engine)
    writer.put([row(2, "Bob")])
    writer.rollback()
    writer.commit()
    assert names(reader, "bob") == []
    # What was rolled back counts as unknown: it can be written again.
    assert writer.put_if_newer(row(2, "Bob"))


def test_an_older_version_and_a_second_copy_change_nothing(engine: TantivyEngine, indexed: Indexed) -> None:
    reader = indexed(row(1, "New", version=5))
    writer = writer_of(engine)
    assert not writer.put_if_newer(row(1, "Old", version=4))
    assert not writer.put_if_newer(row(1, "Copy", version=5))
    assert writer.put_if_newer(row(1, "Newer", version=6))
    # The version just written counts although it is not committed yet.
    assert not writer.put_if_newer(row(1, "Old", version=5))
    writer.commit()
    assert names(reader, "lee") == ["Newer"]


def test_an_older_version_loses_against_a_batch_that_is_not_committed_yet(
    engine: TantivyEngine, indexed: Indexed
) -> None:
    reader = indexed(row(1))
    writer = writer_of(engine)
    writer.put([row(number, "Batch", version=3) for number in range(2, 5)])
    assert not writer.put_if_newer(row(2, "Old", version=2))
    writer.commit()
    assert names(reader, "lee") == ["Ann", "Batch", "Batch", "Batch"]


def test_a_removed_student_stays_removed_over_a_restart(engine: TantivyEngine, indexed: Indexed) -> None:
    reader = indexed(row(1), row(2, "Bob"))
    writer = writer_of(engine)
    assert writer.remove(1)
    assert not writer.remove(1)
    writer.commit()
    writer.close()
    writer = writer_of(engine)
    assert not writer.put_if_newer(row(1, version=9))
    writer.commit()
    assert names(reader, "lee") == ["Bob"]
    assert writer.documents == 1


def test_removing_demo_students_spares_the_real_and_the_later_ones(engine: TantivyEngine, indexed: Indexed) -> None:
    reader = indexed(row(1, "Real"), row(2, "Demo", demo=True), row(3, "Later", demo=True))
    writer = writer_of(engine)
    writer.remove_demo(2)
    writer.commit()
    assert names(reader, "lee") == ["Later", "Real"]
    writer.close()
    # Late news of a demo student that was removed with the others is no news, after a restart too.
    writer = writer_of(engine)
    assert not writer.put_if_newer(row(2, "Demo", demo=True, version=7))
    assert writer.put_if_newer(row(4, "Fresh", demo=True))


def test_a_second_writer_is_refused_while_the_first_lives(engine: TantivyEngine, indexed: Indexed) -> None:
    indexed(row(1))
    writer = writer_of(engine)
    assert engine.writer() is None
    writer.close()
    assert engine.writer() is not None


def test_a_swap_shows_readers_the_other_index_and_sweeps_up(engine: TantivyEngine, indexed: Indexed) -> None:
    reader = indexed(row(1, "Old"))
    first = reader.generation
    for name in ("Second", "Third"):
        building = engine.building()
        building.put([row(1, name)])
        building.commit()
        assert names(reader, "lee") != [name]
        engine.publish(building)
        assert names(reader, "lee") == [name]
        building.close()
    assert reader.generation != first
    assert len(list(engine.root.glob("students-*"))) == 2


def test_a_building_index_that_is_given_up_leaves_nothing(engine: TantivyEngine, indexed: Indexed) -> None:
    reader = indexed(row(1))
    building = engine.building()
    building.put([row(9, "Ghost")])
    engine.discard(building)
    assert names(reader, "lee") == ["Ann"]
    assert len(list(engine.root.glob("students-*"))) == 1


def test_a_start_sweeps_up_what_a_killed_rebuild_left(engine: TantivyEngine, indexed: Indexed) -> None:
    indexed(row(1))
    (engine.root / "students-half").mkdir()
    writer_of(engine)
    assert len(list(engine.root.glob("students-*"))) == 1


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"index": "x"}', b'{"index": "none", "stamp": 1, "schema": 1}']
)
def test_a_broken_pointer_means_that_there_is_no_index(engine: TantivyEngine, indexed: Indexed, content: bytes) -> None:
    indexed(row(1))
    (engine.root / pointer.FILE).write_bytes(content)
    with pytest.raises(EngineUnavailable):
        _ = engine.reader().generation
    assert engine.writer() is None


def test_an_index_of_another_schema_is_not_opened(engine: TantivyEngine, indexed: Indexed) -> None:
    indexed(row(1))
    found = pointer.read(engine.root)
    assert found is not None
    pointer.write(engine.root, pointer.Pointer(found.index, found.stamp, schema.VERSION + 1), durable=False)
    with pytest.raises(EngineUnavailable):
        _ = engine.reader().generation
    assert engine.writer() is None


def test_a_reader_outlives_its_files_and_finds_the_next_index(engine: TantivyEngine, indexed: Indexed) -> None:
    reader = indexed(row(1, "Old"))
    shutil.rmtree(engine.root)
    assert names(reader, "lee") == ["Old"]
    building = engine.building()
    building.put([row(1, "New")])
    building.commit()
    engine.publish(building)
    assert names(reader, "lee") == ["New"]


def test_a_writer_whose_files_vanish_says_so(engine: TantivyEngine, indexed: Indexed) -> None:
    indexed(row(1))
    writer = writer_of(engine)
    assert engine.is_live(writer)
    shutil.rmtree(engine.root)
    assert not engine.is_live(writer)
    with pytest.raises(EngineUnavailable):
        writer.put([row(number) for number in range(2, 50)])
        writer.commit()


@pytest.mark.parametrize(
    "query",
    [
        '"(*:* AND [a TO b]) \\ <script>', "*", "?", "~", "first:ann", "ann~2", "ann^5", "+ann -lee", "/.*/",
        "a OR b",
        "NOT ann", '"', "\\", "(((((", "{!func}", "ann\x00lee", "\u202eann", "😀", "x" * 200, "a " * 100,
        "é\u0301" * 60,
        "@", "@@@@", "a@", "@b", "%00", "../../etc/passwd", "';DROP TABLE student;--",
    ],
)  # fmt: skip
def test_query_syntax_of_any_language_is_only_text(query: str, indexed: Indexed) -> None:
    reader = indexed(row(1), row(2, "Bob", "Stone"))
    page = reader.search(query, limit=25, offset=0)
    assert page.total in {0, 1, 2}
    assert (page.total == 0) == (not page.hits)


def test_operators_neither_require_nor_exclude(indexed: Indexed) -> None:
    reader = indexed(row(1), row(2, "Bob", "Stone"))
    assert names(reader, "+ann -bob") == ["Ann", "Bob"]


def test_an_address_word_that_thousands_share_does_not_hide_its_neighbours(indexed: Indexed) -> None:
    shared = [StudentRow(number, "Ann", "Lee", f"info@school{number}.org", True, 1) for number in range(1, 2501)]
    rare = [StudentRow(3000 + n, "Bob", "Lee", f"{local}@x.org", True, 1) for n, local in enumerate(("inf", "infos"))]
    page = indexed(*shared, *rare).search("infp", limit=10, offset=0)
    assert page.total == 2501
    assert page.hits[0].email == "info@school1.org"
    found = indexed(*shared, *rare).search("infox", limit=10, offset=0)
    assert {hit.email for hit in found.hits if hit.first_name == "Bob"} == {"infos@x.org"}
    assert found.total == 2501


def test_pages_follow_each_other_without_gap_or_repetition(indexed: Indexed) -> None:
    reader = indexed(*(row(number) for number in range(1, 101)))
    whole = [hit.id for hit in reader.search("ann", limit=200, offset=0).hits]
    pages = [hit.id for offset in range(0, 120, 7) for hit in reader.search("ann", limit=7, offset=offset).hits]
    assert whole == pages
    assert sorted(whole) == list(range(1, 101))
    assert reader.search("ann", limit=7, offset=10_000).total == 100


async def test_a_watch_hears_of_a_new_pointer_at_once_and_survives_its_directory(tmp_path: Path) -> None:
    root = tmp_path / "index"
    root.mkdir()
    changes = DirectoryWatch(root).changes()
    await anext(changes)

    async def heard_after(action: Callable[[], None]) -> float:
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0.05)
        action()
        began = time.monotonic()
        await waiting
        return time.monotonic() - began

    def announce() -> None:
        pointer.write(root, pointer.Pointer("students-x", 1, 1), durable=False)

    assert await heard_after(announce) < 0.5
    await heard_after(lambda: shutil.rmtree(root))
    root.mkdir()
    await anext(changes)
    assert await heard_after(announce) < 0.5
    await changes.aclose()


def test_the_engine_that_is_not_built_says_so() -> None:
    class Settings:
        search_engine = "elasticsearch"

    with pytest.raises(EngineNotBuilt, match="not built yet"):
        open_engine(Settings())  # type: ignore[arg-type]
