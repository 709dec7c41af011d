"""What a client does to the list it holds when an event comes: the rules that the pages' scripts follow.

Each takes the list as the API gave it, keyed by id, and answers the list after the event; `Stale` means that an event
tells too little, so the list must be fetched again. Events may come twice; applying one twice changes nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Row = dict[str, Any]
State = dict[Any, Row]
Reducer = Callable[[State, str, Mapping[str, Any]], State]

JOB_FIELDS = ("id", "kind", "status", "progress", "result", "error", "owner", "attempt", "params")
STUDENT_FIELDS = ("id", "first_name", "last_name", "email", "age", "demo")
FILE_FIELDS = ("id", "name", "folder", "size", "sha256", "media_type", "kind", "status", "failure")
OVER = {"succeeded", "failed", "cancelled"}


class Stale(Exception):
    """The event says that there is news, but not what: fetch."""


def held(rows: Iterable[Mapping[str, Any]], fields: Iterable[str]) -> State:
    """Fetched rows by id, with the fields that events carry."""
    return {row["id"]: {name: row[name] for name in fields} for row in rows}


def jobs(state: State, name: str, data: Mapping[str, Any]) -> State:
    """A change replaces the job. A tick of progress moves a job that is known and not over, and never back."""
    known = state.get(data["id"])
    if name == "jobs.job.progressed" and (
        known is None or known["status"] in OVER or data["progress"]["done"] < known["progress"]["done"]
    ):
        return state
    return {**state, data["id"]: {field: data[field] for field in JOB_FIELDS}}


def students(state: State, name: str, data: Mapping[str, Any]) -> State:
    """One student travels whole; a removed batch is a rule that can be applied; a created one must be fetched."""
    if name == "students.batch.created":
        raise Stale(f"students {data['first_id']} to {data['last_id']}")
    if name == "students.batch.removed":
        return {key: row for key, row in state.items() if not (row["demo"] and row["id"] <= data["up_to_id"])}
    if name == "students.student.removed":
        return {key: row for key, row in state.items() if key != data["id"]}
    return {**state, data["id"]: {field: data[field] for field in STUDENT_FIELDS}}


def files(state: State, name: str, data: Mapping[str, Any]) -> State:
    """Every event of a file carries the whole entry."""
    if name == "files.file.removed":
        return {key: row for key, row in state.items() if key != data["id"]}
    return {**state, data["id"]: {field: data[field] for field in FILE_FIELDS}}


def reduced(reducer: Reducer, state: State, events: Iterable[tuple[str, Mapping[str, Any]]]) -> State:
    """The state after all events, each of which comes twice."""
    for name, data in events:
        for _ in range(2):
            state = reducer(state, name, data)
    return state
