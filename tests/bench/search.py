"""How fast students are indexed, seen and found, and whether the ranking is Lucene's.

    python tests/bench/search.py [--size small|full] [--students N …] [--json]

Where a JDK and liblucene8-java (or its jar, named by LUCENE_JAR) are installed, a real Lucene answers the same queries
in turns with our engine (A B A B); precision is then the share of the first ten places whose score is Lucene's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from faker.providers.person.en_US import Provider
from ochaq_search.engines.base import StudentRow
from ochaq_search.engines.tantivy.engine import TantivyEngine
from ochaq_search.engines.tantivy.reader import TantivyReader
from ochaq_search.engines.tantivy.scoring import field_terms
from ochaq_search.folding import address_terms, name_terms
from ochaq_search.following import Follower

SIZES = {"small": (2_000,), "full": (10_000, 100_000, 1_000_000)}
QUERIES = {"small": 60, "full": 350}
TURNS = 3
WRITES = 100
# Our engine keeps the factor (k1 + 1) of BM25 that Lucene dropped in version 8; it changes no order.
LUCENE_FACTOR = 2.2
JARS = (os.environ.get("LUCENE_JAR", ""), "/usr/share/java/lucene8-core.jar")


# Nanoseconds by the clock, and of the processor: the latter stays true on a machine that has other work.
Took = tuple[int, int]


@dataclass
class Figures:
    """One size's results; times in milliseconds."""

    students: int
    indexed_per_second: int
    p50: float = 0.0
    p99: float = 0.0
    cpu_p50: float = 0.0
    cpu_p99: float = 0.0
    visible_p50: float = 0.0
    visible_p99: float = 0.0
    lucene: dict[str, float] = field(default_factory=dict)


def make_students(count: int, seed: int = 1) -> list[StudentRow]:
    """Names with the frequencies of Faker's own lists; unique addresses."""
    rnd = random.Random(seed)
    firsts = rnd.choices(list(Provider.first_names), list(Provider.first_names.values()), k=count)
    lasts = rnd.choices(list(Provider.last_names), list(Provider.last_names.values()), k=count)
    rows, used = [], set()
    for number, (first, last) in enumerate(zip(firsts, lasts, strict=True), 1):
        local = f"{first if number % 2 else first[0]}.{last}".lower().replace(" ", "")
        if local in used:
            local += str(rnd.randrange(count))
        used.add(local)
        rows.append(StudentRow(number, first, last, f"{local}@example.{('com', 'org', 'net')[number % 3]}", True, 1))
    return rows


def make_queries(rows: list[StudentRow], count: int, seed: int = 2) -> list[str]:
    """Names and addresses as people type them: most of them misspelt."""
    rnd = random.Random(seed)
    queries = []
    for number in range(count):
        row = rnd.choice(rows)
        text = (
            row.last_name,
            row.first_name,
            f"{row.first_name} {row.last_name}",
            row.email.partition("@")[0],
            row.last_name,
            row.first_name,
            row.email,
        )[number % 7]
        queries.append(misspell(text, rnd) if number % 10 < 7 else text)
    return queries


def misspell(text: str, rnd: random.Random) -> str:
    at = rnd.randrange(1, max(2, len(text) - 1))
    letter = rnd.choice("abcdefghijklmnopqrstuvwxyz")
    return rnd.choice(
        (text[:at] + letter + text[at + 1 :], text[:at] + text[at + 1 :], text[:at] + letter + text[at:],
         text[: at - 1] + text[at : at + 1] + text[at - 1 : at] + text[at + 1 :])
    )  # fmt: skip


def build(root: Path, rows: list[StudentRow]) -> tuple[TantivyEngine, int]:
    engine = TantivyEngine(root, writer_bytes=256_000_000)
    building = engine.building()
    began = time.perf_counter()
    building.put(rows)
    building.commit()
    rate = int(len(rows) / (time.perf_counter() - began))
    engine.publish(building)
    building.close()
    return engine, rate


def time_queries(reader: TantivyReader, queries: list[str]) -> list[Took]:
    took = []
    for query in queries:
        began, worked = time.perf_counter_ns(), time.thread_time_ns()
        reader.search(query, limit=10, offset=0)
        took.append((time.perf_counter_ns() - began, time.thread_time_ns() - worked))
    return took


def time_writes(engine: TantivyEngine) -> list[float]:
    """From a row in hand to a reader, in another thread as in another process, that finds it."""
    reader = engine.reader()
    writer = engine.writer()
    assert writer is not None
    took = []
    with followed(reader):
        for number in range(WRITES):
            row = StudentRow(10**9 + number, f"Visible{number}", "Now", f"visible{number}@example.com", False, 1)
            before = reader.generation
            began = time.perf_counter()
            writer.put_if_newer(row)
            writer.commit()
            while reader.generation == before:
                time.sleep(0.0005)
            took.append((time.perf_counter() - began) * 1000)
            assert reader.search(row.email, limit=1, offset=0).hits[0].id == row.id
    writer.close()
    return took


@contextmanager
def followed(reader: TantivyReader) -> Iterator[None]:
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    async def follow() -> None:
        async with Follower(reader).running():
            await asyncio.sleep(0.05)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(follow()), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


class Lucene:
    """The judge's process."""

    def __init__(self, directory: Path, classpath: str, rows: list[StudentRow], queries: list[str]) -> None:
        (directory / "rows.tsv").write_text("".join(map(_row_line, rows)))
        (directory / "queries.tsv").write_text("".join(map(_query_line, queries)))
        source = Path(__file__).parent / "lucene" / "Judge.java"
        subprocess.run(["javac", "-cp", classpath, "-d", str(directory), str(source)], check=True)
        command = ["java", "-Xmx2g", "-cp", f"{classpath}:{directory}", "Judge"]
        places = [str(directory / name) for name in ("rows.tsv", "queries.tsv", "lucene")]
        self._process = subprocess.Popen([*command, *places], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.rate = int(self._line())

    def run(self) -> list[Took]:
        pairs = (line.split() for line in self._ask("run"))
        return [(int(clock), int(cpu)) for clock, cpu in pairs]

    def scores(self) -> list[list[float]]:
        return [[float(hit.partition(":")[2]) for hit in line.split()] for line in self._ask("hits")]

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, command: str) -> list[str]:
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return list(iter(self._line, "done"))

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


def _row_line(row: StudentRow) -> str:
    words = (name_terms(row.first_name), name_terms(row.last_name), address_terms(row.email))
    return "\t".join([str(row.id), *(" ".join(terms) for terms in words)]) + "\n"


def _query_line(query: str) -> str:
    terms = field_terms(query)
    return (
        "\t".join(" ".join(cell) for cell in (terms["first"], terms["last"], terms["local"] + terms["address"])) + "\n"
    )


def classpath() -> str | None:
    """Lucene's jars, if they and a compiler are here."""
    core = next((jar for jar in JARS if jar and Path(jar).exists()), None)
    if core is None or not shutil.which("javac"):
        return None
    return f"{core}:{core.replace('core', 'analyzers-common')}"


def agreement(reader: TantivyReader, queries: list[str], judged: list[list[float]]) -> tuple[float, float]:
    """Precision at ten and at one: places whose score is the one Lucene gives that place."""
    right = places = top = 0
    for query, scores in zip(queries, judged, strict=True):
        ours = [hit.score / LUCENE_FACTOR for hit in reader.search(query, limit=10, offset=0).hits]
        same = [abs(a - b) <= 1e-3 * max(a, b) for a, b in zip(ours, scores, strict=False)]
        right += sum(same)
        places += max(len(ours), len(scores))
        top += bool(same and same[0]) or not (ours or scores)
    return right / max(places, 1), top / len(queries)


def measure(count: int, number_of_queries: int) -> Figures:
    rows = make_students(count)
    queries = make_queries(rows, number_of_queries)
    with tempfile.TemporaryDirectory(prefix="ochaq-bench-") as name:
        directory = Path(name)
        engine, rate = build(directory / "index", rows)
        reader = engine.reader()
        figures = Figures(count, rate)
        jars = classpath()
        judge = Lucene(directory, jars, rows, queries) if jars else None
        ours: list[Took] = []
        theirs: list[Took] = []
        time_queries(reader, queries)
        if judge:
            # The virtual machine compiles what it sees often: three rounds before the first that counts.
            for _ in range(3):
                judge.run()
        for _ in range(TURNS):
            ours += time_queries(reader, queries)
            theirs += judge.run() if judge else []
        figures.p50, figures.p99 = quantiles([clock / 1e6 for clock, _ in ours])
        figures.cpu_p50, figures.cpu_p99 = quantiles([cpu / 1e6 for _, cpu in ours])
        if judge:
            precision, top = agreement(reader, queries, judge.scores())
            p50, p99 = quantiles([clock / 1e6 for clock, _ in theirs])
            cpu_p50, cpu_p99 = quantiles([cpu / 1e6 for _, cpu in theirs])
            figures.lucene = {
                "indexed_per_second": judge.rate, "p50": p50, "p99": p99, "cpu_p50": cpu_p50, "cpu_p99": cpu_p99,
                "p99_ratio": round(p99 / figures.p99, 2), "cpu_p99_ratio": round(cpu_p99 / figures.cpu_p99, 2),
                "precision_at_10": round(precision, 4), "top_1": round(top, 4),
            }  # fmt: skip
            judge.close()
        figures.visible_p50, figures.visible_p99 = quantiles(time_writes(engine))
        return figures


def quantiles(took: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return round(cuts[49], 3), round(cuts[98], 3)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--students", type=int, nargs="+", help="these numbers of students instead of the size's own")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    results = [measure(count, QUERIES[asked.size]) for count in asked.students or SIZES[asked.size]]
    if asked.json:
        print(json.dumps([asdict(result) for result in results]))
        return 0
    for result in results:
        print(f"{result.students:>9,} students: {result.indexed_per_second:,}/s indexed")
        print(
            f"{'':>9} search p50 {result.p50} ms, p99 {result.p99} ms; processor {result.cpu_p50}, {result.cpu_p99} ms"
        )
        print(f"{'':>9} one write visible p50 {result.visible_p50} ms, p99 {result.visible_p99} ms")
        print(f"{'':>9} Lucene: {result.lucene or 'not run (needs liblucene8-java and a JDK)'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
