"""What PostgreSQL holds of a ledger's stories: each acknowledged operation once, and nothing of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rig.databases import Databases
from rig.stories import FileStory, JobStory, RecipeStory, Story, StudentStory
from rig.verdict import Verdict

OVER = ("succeeded", "failed", "cancelled")
_COUNTS = """
SELECT (SELECT count(*) FROM student WHERE NOT demo), (SELECT count(*) FROM cookbook_recipe),
       (SELECT count(*) FROM job WHERE owner_id IS NOT NULL), (SELECT count(*) FROM student WHERE demo)
"""
_STUDENTS = "SELECT id, first_name, last_name, email, age, version FROM student WHERE email LIKE %s"
_RECIPES = 'SELECT id, name, "desc", servings, version FROM cookbook_recipe WHERE name LIKE %s'
_FILES = """
SELECT f.id::text, f.name, f.status, b.sha256, b.state, (SELECT count(*) FROM file_version v WHERE v.file_id = f.id)
FROM file f JOIN blob b ON b.id = f.blob_id WHERE f.folder = %s
"""
_BLOBS = "SELECT sha256, count(*) FROM blob WHERE state = 'stored' GROUP BY sha256 HAVING count(*) > 1"
_JOBS = """
SELECT j.id::text, j.kind, j.status, j.result, j.cancel_requested_at IS NOT NULL,
       (SELECT count(*) FROM job_event e WHERE e.job_id = j.id AND e.kind IN ('succeeded', 'failed', 'cancelled')),
       (SELECT coalesce(sum(count), 0) FROM student_chunk c WHERE c.job_id = j.id),
       (SELECT count(*) FROM student s JOIN student_chunk c ON s.id BETWEEN c.first_id AND c.last_id
        WHERE c.job_id = j.id AND s.demo)
FROM job j WHERE j.created_at >= %s AND j.owner_id IS NOT NULL
"""


def counts(databases: Databases) -> dict[str, int]:
    """How many there are of everything a ledger makes."""
    found = databases.web(_COUNTS)[0]
    known = dict(zip(("student", "recipe", "job", "demo"), map(int, found), strict=True))
    return {**known, "file": databases.number("files", "SELECT count(*) FROM file")}


def students(databases: Databases, run: str, stories: Sequence[StudentStory]) -> Verdict:
    found = {row[3]: row for row in databases.web(_STUDENTS, (f"{run}n%",))}
    verdict = Verdict()
    for story in stories:
        row = found.pop(story.email, None)
        if not story.settled:
            continue
        if story.made and not story.removed:
            wanted = (story.id, *(story.expected[name] for name in ("first_name", "last_name", "email", "age")))
            if row is None or row[:5] != wanted:
                verdict.lost.append(f"student {story.mark} is {row}, not {wanted}")
            elif row[5] != 1 + story.changes:
                verdict.dup.append(f"student {story.mark} has version {row[5]} after {story.changes} changes")
        elif row is not None:
            verdict.ghosts.append(f"student {row} was refused or removed")
    verdict.ghosts += [f"student {row}: nobody enrolled him" for row in found.values()]
    return verdict


def recipes(databases: Databases, run: str, stories: Sequence[RecipeStory]) -> Verdict:
    found: dict[str, list[Any]] = {}
    for row in databases.web(_RECIPES, (f"Pilaf {run}n%",)):
        found.setdefault(row[1], []).append(row)
    verdict = Verdict()
    for story in stories:
        mine = found.pop(str(story.expected.get("name")), [])
        if len(mine) > 1:
            verdict.dup.append(f"recipe {story.mark} was published {len(mine)} times")
        elif story.settled and story.made:
            wanted = (story.id, *(story.expected[name] for name in ("name", "desc", "servings")))
            if not mine or mine[0][:4] != wanted:
                verdict.lost.append(f"recipe {story.mark} is {mine}, not {wanted}")
        elif story.settled and mine:
            verdict.ghosts.append(f"recipe {story.mark} was refused and is there")
    verdict.ghosts += [f"recipes {mine}: nobody published them" for mine in found.values()]
    return verdict


def files(databases: Databases, run: str, stories: Sequence[FileStory]) -> Verdict:
    found: dict[str, list[Any]] = {}
    for row in databases.files(_FILES, (f"faults/{run}",)):
        found.setdefault(row[1], []).append(row)
    verdict = Verdict()
    for story in stories:
        mine = found.pop(story.name, [])
        if len(mine) > 1 or (mine and mine[0][5] != 1):
            verdict.dup.append(f"file {story.mark} is there as {mine}")
        elif story.made and (not mine or mine[0][:5] != (story.id, story.name, "completed", story.sha256, "stored")):
            verdict.lost.append(f"file {story.mark} is {mine}")
        elif mine and not story.made and story.settled:
            verdict.ghosts.append(f"file {story.mark} was refused and is there")
    verdict.ghosts += [f"files {mine}: nobody uploaded them" for mine in found.values()]
    verdict.dup += [f"content {sha[:12]} is stored {many} times" for sha, many in databases.files(_BLOBS)]
    return verdict


def jobs(databases: Databases, since: Any, stories: Sequence[JobStory]) -> Verdict:
    """Every job ended once, and made as many rows as it says."""
    found = {row[0]: row for row in databases.web(_JOBS, (since,))}
    verdict = Verdict()
    for story in stories:
        if not story.made:
            continue
        row = found.pop(story.id, None)
        if row is None:
            verdict.lost.append(f"job {story.mark} is not there")
            continue
        _, kind, status, result, cancelled, ends, noted, made = row
        if status not in OVER or ends != 1:
            (verdict.dup if ends > 1 else verdict.lost).append(f"job {story.mark} is {status} and ended {ends} times")
        elif status != story.expecting and not (status == "cancelled" and cancelled):
            verdict.wrong.append(f"job {story.mark} ({kind}) ended as {status}: {result}")
        elif kind == "students.generate":
            wanted = story.params["count"] if status == "succeeded" else noted
            if not (made == noted == wanted) or (result or {}).get("created", wanted) != wanted:
                text = f"job {story.mark} says {result}, noted {noted} rows and made {made}"
                (verdict.dup if made > wanted else verdict.lost).append(text)
    in_doubt = [story for story in stories if not story.made and not story.settled]
    if len(found) > len(in_doubt):
        verdict.ghosts += [f"job {row[0]} ({row[1]}): nobody started it" for row in found.values()]
    return verdict


def growth(databases: Databases, before: dict[str, int], stories: Iterable[Story]) -> Verdict:
    """The tables grew by exactly what was acknowledged: nothing came in that carries no mark of ours."""
    known = list(stories)
    if not all(story.settled for story in known):
        return Verdict()  # What an unanswered operation did cannot be known; that it was unanswered is found elsewhere.
    wanted: Counter[str] = Counter()
    for story in known:
        if story.made:
            name = type(story).__name__.removesuffix("Story").lower()
            wanted[name] += 0 if isinstance(story, StudentStory) and story.removed else 1
    now = counts(databases)
    verdict = Verdict()
    for name in ("student", "recipe", "file", "job"):
        grown = now[name] - before[name]
        if grown != wanted[name]:
            text = f"there are {grown} more rows of {name}, acknowledged were {wanted[name]}"
            (verdict.lost if grown < wanted[name] else verdict.dup).append(text)
    return verdict
