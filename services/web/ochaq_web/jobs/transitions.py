"""One statement for each change of a job, or of many: the rows, their lines in the timeline and facts in the outbox.

A busy site spends most of its jobs' cost here, so a change is one round trip and is prepared once per connection. The
fact is therefore written by SQL, from the row as the change left it; tests hold it against the model in `shared`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import psycopg
from django.db import connection
from django.db.models import JSONField
from ochaq_shared import failpoints
from ochaq_shared.events.jobs import JobChanged
from ochaq_shared.ids import uuid7
from ochaq_shared.outbox import EVENTS_EXCHANGE, insertion, shard_of, wake
from ochaq_shared.telemetry import current_request_id, current_traceparent
from psycopg.types.json import Jsonb

from ochaq_web.jobs.models import Job

_FIELDS = tuple(field.attname for field in Job._meta.concrete_fields)
_JSON_AT = [place for place, field in enumerate(Job._meta.concrete_fields) if isinstance(field, JSONField)]
# Named one by one: the columns of a prepared `*` would be those of the day it was prepared.
COLUMNS = ", ".join(f"changed.{name}" for name in _FIELDS)

_FACT = insertion(f"""
  SELECT {{event_id}}, '{JobChanged.event_type}', '{JobChanged.source}', id::text, version, {{shard}},
    {int(JobChanged.lane)}, '{EVENTS_EXCHANGE}', '{JobChanged.event_type}', jsonb_build_object(),
    jsonb_build_object(
      'specversion', '1.0', 'id', {{event_id}}::text, 'type', '{JobChanged.event_type}',
      'source', '{JobChanged.source}', 'subject', id::text, 'time', %(time)s::text,
      'datacontenttype', 'application/json', 'version', version,
      'requestid', %(request_id)s::text, 'traceparent', %(traceparent)s::text,
      'data', jsonb_build_object(
        'id', id::text, 'kind', kind, 'status', status,
        'progress', jsonb_build_object('done', progress_done, 'total', progress_total),
        'result', result, 'error', error, 'owner', coalesce(owner_id::text, ''), 'attempt', attempt, 'params', params))
  FROM changed{{envelopes}}
""")  # noqa: S608 - only constants of the code
_ENVELOPE = {"event_id": "%(event_id)s::uuid", "shard": "%(shard)s::int", "envelopes": ""}
_ENVELOPES = {"event_id": "event_id", "shard": "shard", "envelopes": " JOIN envelope ON envelope.of = changed.id"}

# `changed` is the changed row, `told` its line in the timeline, `fact` what the world hears (contract.md, "Events").
_STATEMENT = f"""
WITH {{given}}changed AS ({{change}} RETURNING job.*{{returning}}),
told AS (
  INSERT INTO job_event (job_id, seq, kind, actor, data)
  SELECT id, version, {{event}}, {{actor}}, jsonb_strip_nulls({{data}}) FROM changed),
fact AS ({{fact}}){{then}}
SELECT {COLUMNS}{{more}} FROM changed
"""  # noqa: S608 - only constants of the code

_GIVEN = """
given AS (SELECT * FROM jsonb_to_recordset(%(given)s::jsonb) AS one(id uuid, event_id uuid, shard int{columns})),
envelope AS (SELECT id AS of, event_id, shard FROM given),
"""


def statement(
    change: str, event: str, *, actor: str = "%(actor)s::text", data: str = "'{}'::jsonb", more: str = ""
) -> str:
    """The whole statement around `change`, an `INSERT` into or `UPDATE` of `job` without RETURNING.

    The other parts are SQL over the changed row; `more` are further columns of the answer (see `rows`).
    """
    return _STATEMENT.format(
        change=change,
        event=event,
        actor=actor,
        data=data,
        more=_also(more),
        fact=_FACT.format(**_ENVELOPE),
        given="",
        returning="",
        then="",
    )


def statement_of_many(
    change: str,
    event: str,
    *,
    columns: str = "",
    actor: str = "%(actor)s::text",
    data: str = "'{}'::jsonb",
    more: str = "",
    returning: str = "",
    then: str = "",
) -> str:
    """As `statement`, for `change_many`: `change` reads the rows of `given`, which have an id and these `columns`.

    `columns` are names with types, `returning` further columns of `changed`, `then` further changes, as `name AS (…)`.
    """
    return _STATEMENT.format(
        change=change,
        event=event,
        actor=actor,
        data=data,
        more=_also(more),
        fact=_FACT.format(**_ENVELOPES),
        given=_GIVEN.format(columns=_also(columns)),
        returning=_also(returning),
        then=_also(then),
    )


def change(sql: str, job_id: UUID, values: Mapping[str, Any], more: Sequence[str] = ()) -> Job | None:
    """Run a statement of `statement`; None when its condition did not hold, and then nothing was told either.

    Outside a transaction it commits by itself.
    """
    job = run(sql, {**values, **_envelope(), "id": job_id, "event_id": UUID(uuid7()), "shard": _shard(job_id)}, more)
    if job is not None:
        _written()
    return job


def change_many(
    sql: str, given: Sequence[Mapping[str, Any]], values: Mapping[str, Any], more: Sequence[str] = ()
) -> list[Job]:
    """Run a statement of `statement_of_many`; answers the jobs that it changed, which may be fewer than were given."""
    records = [{**one, "event_id": uuid7(), "shard": _shard(one["id"])} for one in given]
    changed = rows(sql, {**values, **_envelope(), "given": Jsonb(records, dumps=orjson.dumps)}, more)
    if changed:
        _written()
    return changed


def run(sql: str, values: Mapping[str, Any], more: Sequence[str] = ()) -> Job | None:
    """The first of `rows`."""
    return next(iter(rows(sql, values, more)), None)


def rows(sql: str, values: Mapping[str, Any], more: Sequence[str] = ()) -> list[Job]:
    """The rows of a statement that answers `COLUMNS`, and then `more`, which become attributes of the job."""
    # Django's own cursor binds on the client, which prepared statements cannot do. Same connection, same transaction.
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(sql, values, prepare=True)
        return [_job(row, more) for row in cursor.fetchall()]


def json_or_null(value: Mapping[str, Any] | None) -> Jsonb | None:
    """A JSON parameter."""
    return None if value is None else Jsonb(dict(value), dumps=orjson.dumps)


def _job(row: tuple[Any, ...], more: Sequence[str]) -> Job:
    values = list(row[: len(_FIELDS)])
    for place in _JSON_AT:
        values[place] = _parsed(values[place])
    job = Job.from_db(connection.alias, _FIELDS, values)
    for name, value in zip(more, row[len(_FIELDS) :], strict=True):
        setattr(job, name, value)
    return job


def _parsed(value: Any) -> Any:
    """Django has psycopg hand over JSON as text, since its own fields parse it."""
    return orjson.loads(value) if isinstance(value, str) else value


def _also(sql: str) -> str:
    return f", {sql}" if sql else ""


def _shard(job_id: UUID) -> int:
    return shard_of(str(job_id))


def _envelope() -> dict[str, Any]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request_id": current_request_id(),
        "traceparent": current_traceparent(),
    }


def _written() -> None:
    if connection.in_atomic_block:
        failpoints.hit("outbox.inserted")
    _wake()


def _wake() -> None:
    """Wake the relay once after the commit, as `outbox.emit` does."""
    if not any(getattr(entry[1], "func", None) is wake for entry in connection.run_on_commit):
        connection.on_commit(partial(wake, connection), robust=True)
