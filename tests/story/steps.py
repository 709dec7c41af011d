"""The main story, step by step. Each step returns what to print, and raises `StoryBroken` when it does not hold."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import tempfile
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from campus import Campus, get, hold, post
from live import Watcher

ROWS = 10_000
PATIENCE = 60.0
"""Seconds that one step may ride out a killed process."""


@dataclass
class Story:
    """What one telling of the story remembers between its steps."""

    campus: Campus
    watcher: Watcher
    rows: int = ROWS
    real: dict[str, Any] = field(default_factory=dict)
    students: list[dict[str, Any]] = field(default_factory=list)
    photo: bytes = b""
    folder: str = field(default_factory=lambda: f"lessons/{uuid.uuid4().hex[:8]}")
    uploaded: dict[str, Any] = field(default_factory=dict)
    archive: bytes = b""


def visitor_reads_cached_recipes(story: Story) -> str:
    visitor = story.campus.client()
    first = get(visitor, "/api/v1/recipes/", seconds=PATIENCE)
    hold(first.status_code == 200, f"recipes: {first.status_code}")
    hold(len(first.json()["results"]) == 25, "a first page of 25 recipes")
    again = get(visitor, "/api/v1/recipes/", seconds=PATIENCE)
    hold("hit" in again.headers.get("cache-status", ""), f"a hit, not {again.headers.get('cache-status')}")
    known = get(visitor, "/api/v1/recipes/", seconds=PATIENCE, headers={"If-None-Match": first.headers["etag"]})
    hold(known.status_code == 304, f"304 for a known ETag, not {known.status_code}")
    recipe = get(visitor, f"/api/v1/recipes/{first.json()['results'][0]['id']}/", seconds=PATIENCE).json()
    hold(all(isinstance(i["amount"], str | None) for i in recipe["ingredients"]), "amounts are exact strings")
    return f"25 recipes, {again.headers['cache-status'].split(',')[-1].strip()}, 304 for a known ETag"


def manager_adds_a_real_student(story: Story) -> str:
    unique = uuid.uuid4().hex[:8]
    body = {
        "first_name": "Gülşen",
        "last_name": f"Öztürk{unique[:3]}",
        "email": f"gulsen.{unique}@school.example",
        "age": 20,
    }
    made = post(story.campus.client("manager"), "/api/v1/students/", key=unique, seconds=PATIENCE, json=body)
    hold(made.status_code == 201, f"a new student: {made.status_code} {made.text[:200]}")
    story.real = made.json()
    return f"{body['first_name']} {body['last_name']} is student {story.real['id']}"


def manager_runs_the_heavy_job(story: Story) -> str:
    manager = story.campus.client("manager")
    body = {"kind": "students.generate", "params": {"count": story.rows, "replace": True}}
    began = time.monotonic()
    started = post(manager, "/api/v1/jobs/", key=str(uuid.uuid4()), seconds=PATIENCE, json=body)
    hold(started.status_code == 202, f"starting the job: {started.status_code} {started.text[:200]}")
    clicked = time.monotonic() - began
    job = started.json()
    end = story.watcher.wait_end(job["id"], PATIENCE)["data"]
    hold(end["status"] == "succeeded", f"the job ended as {end['status']}: {end['error']}")
    hold(end["result"]["created"] == story.rows, f"created {end['result']['created']} rows")
    story.watcher.check()
    seen = len(story.watcher.of_job(job["id"]))
    total = time.monotonic() - began
    return f"202 after {clicked * 1000:.0f} ms, seen to its end live after {total:.2f} s in {seen} events without gap"


def everything_is_in_the_database(story: Story) -> str:
    rows = list(_walk(story, "/api/v1/students/"))
    story.students = [row for row in rows if row["demo"]]
    hold(len({row["id"] for row in rows}) == len(rows), "no student twice in the pages")
    hold(len(story.students) == story.rows, f"{story.rows} demo students, not {len(story.students)}")
    hold(len({row["email"].lower() for row in rows}) == len(rows), "e-mails are unique")
    hold(any(row["id"] == story.real["id"] for row in rows), "the real student is still there")
    return f"{len(story.students)} demo students and {len(rows) - len(story.students)} real ones"


def everything_is_in_the_index(story: Story) -> str:
    began = time.monotonic()
    wanted = len(story.students) + 1
    count = -1
    while time.monotonic() - began < PATIENCE:
        answer = get(story.campus.client("manager"), "/api/v1/search/students/stats", seconds=PATIENCE)
        hold(answer.status_code == 200, f"index: {answer.status_code} {answer.text[:200]}")
        count = answer.json()["demo_documents"]
        if count == wanted - 1:
            return f"{count} demo students in the index"
        time.sleep(0.05)
    hold(False, f"{wanted - 1} demo students in the index, not {count}")
    return ""


def instructor_finds_a_misspelt_name(story: Story) -> str:
    who = next(row for row in story.students if len(row["last_name"]) >= 7 and row["last_name"].isascii())
    name = who["last_name"]
    typo = name[:3] + ("x" if name[3] != "x" else "y") + name[4:]
    instructor = story.campus.client("instructor")
    found = get(instructor, "/api/v1/search/students", seconds=PATIENCE, params={"q": typo, "limit": 200})
    hold(found.status_code == 200, f"search: {found.status_code} {found.text[:200]}")
    hold(any(hit["last_name"] == name for hit in found.json()["results"]), f"{typo!r} finds {name!r}")
    old = get(instructor, f"/students/search/{typo}", seconds=PATIENCE).json()
    hold(old["success"] is True and any(row[1] == name for row in old["students"]), "the source's shape finds it too")
    return f"{typo!r} finds {name!r} ({found.json()['total']} hits in {found.json()['took_ms']} ms)"


def manager_uploads_a_photo_and_its_copy(story: Story) -> str:
    story.photo = _png(512, 384)
    first = _upload(story, "çorba.png", story.photo)
    hold(first.status_code == 201, f"upload: {first.status_code} {first.text[:200]}")
    story.uploaded = first.json()
    hold(story.uploaded["sha256"] == hashlib.sha256(story.photo).hexdigest(), "the announced SHA-256 is the photo's")
    copy = _upload(story, "renamed copy.png", story.photo)
    hold(copy.status_code == 200, f"the renamed copy: {copy.status_code} {copy.text[:200]}")
    hold(copy.json()["duplicate_of"]["id"] == story.uploaded["id"], "the copy links to the first file")
    return f"{len(story.photo)} bytes stored once, the copy recognised as {copy.json()['duplicate_of']['name']!r}"


def manager_downloads_the_folder(story: Story) -> str:
    manager = story.campus.client("manager")
    path = f"/api/v1/folders/{story.folder}/archive.zip"
    announced = int(get(manager, path, method="HEAD", seconds=PATIENCE).headers["content-length"])
    got = get(manager, path, seconds=PATIENCE)
    hold(got.status_code == 200, f"archive: {got.status_code} {got.text[:200]}")
    story.archive = got.content
    hold(announced == int(got.headers["content-length"]) == len(got.content), "the length is the announced one")
    middle = announced // 2
    rest = get(manager, path, seconds=PATIENCE, headers={"Range": f"bytes={middle}-", "If-Range": got.headers["etag"]})
    hold(rest.status_code == 206 and rest.content == got.content[middle:], "a resumed download gets the same bytes")
    _unzip_test(got.content)
    return f"{announced} bytes as announced, `unzip -t` is content, resumed at {middle}"


def late_watcher_gets_the_replay(story: Story) -> str:
    durable = [event for event in story.watcher.events if event["id"] is not None]
    late = Watcher(story.campus, story.watcher.role)
    late.position = durable[0]["id"]
    with late:
        deadline = time.monotonic() + 20
        while len(late.events) < len(durable) - 1 and time.monotonic() < deadline:
            time.sleep(0.02)
    ids = [event["id"] for event in late.events if event["id"] is not None]
    hold(late.recovered[:1] == [True], "the history reaches back to the first event")
    hold(ids[: len(durable) - 1] == [event["id"] for event in durable[1:]], "the replay is whole")
    return f"{len(durable) - 1} events replayed after id {durable[0]['id']}"


STEPS: tuple[tuple[str, Callable[[Story], str]], ...] = (
    ("visitor reads recipes from the cache", visitor_reads_cached_recipes),
    ("manager adds a real student", manager_adds_a_real_student),
    ("manager runs the heavy job and watches it", manager_runs_the_heavy_job),
    ("every student is in the database", everything_is_in_the_database),
    ("every student is in the index", everything_is_in_the_index),
    ("instructor finds a misspelt name", instructor_finds_a_misspelt_name),
    ("manager uploads a photo and its renamed copy", manager_uploads_a_photo_and_its_copy),
    ("manager downloads the folder as a zip", manager_downloads_the_folder),
    ("a late watcher gets the replay", late_watcher_gets_the_replay),
)


def _walk(story: Story, path: str) -> Iterator[dict[str, Any]]:
    client = story.campus.client("manager")
    url: str | None = path
    params: dict[str, Any] | None = {"limit": 200}
    while url:
        page = get(client, url, seconds=PATIENCE, params=params)
        hold(page.status_code == 200, f"{path}: {page.status_code} {page.text[:200]}")
        yield from page.json()["results"]
        url, params = page.json()["next"], None


def _upload(story: Story, name: str, content: bytes) -> httpx.Response:
    return post(
        story.campus.client("manager"),
        "/api/v1/files/",
        key=str(uuid.uuid4()),
        seconds=PATIENCE,
        files={"file": (name, content)},
        data={"folder": story.folder},
    )


def _png(width: int, height: int) -> bytes:
    """A real photo-sized PNG of noise: no two tellings share their bytes, so each tests a first upload."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + os.urandom(width * 3) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def _unzip_test(archive: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "folder.zip"
        path.write_bytes(archive)
        done = subprocess.run(["unzip", "-tqq", str(path)], capture_output=True, text=True, check=False)
        hold(done.returncode == 0, f"unzip -t: {done.stdout[-200:]}{done.stderr[-200:]}")
