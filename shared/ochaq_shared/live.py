"""Numbered, replayable live streams in Redis: the one format that web, the projector and realtime share.

A stream (`u:<user id>`, `students`) holds the last few hundred durable events. Its ids are one growing integer: a fresh
stream starts at `unix seconds << 20 | microseconds`, so after a lost Redis every new id is greater than every old one,
and a position from before the loss is recognised because it lies below the new stream's base.

Durable events come through `append` (kept, numbered, deduplicated by event id); ephemeral ones through
`publish_progress` (sent once, never kept). Both pass through Lua so that neither a job's progress nor the state of
anything with versions can be seen to go back, whatever order the two lanes, retries and events sent again arrive in.

Keys share a hash tag per stream, so that one call touches one slot of a Redis Cluster.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import NoScriptError

SHARDS: Final = 8
CONTROL_CHANNEL: Final = "rt:control"
REVOKED_KEY: Final = "rt:revoked"
REVOKED_SECONDS: Final = 600
STUDENTS: Final = "students"

PERSONAL_LENGTH: Final = 1000
SHARED_LENGTH: Final = 2000
STREAM_TTL_MS: Final = 24 * 3600 * 1000
# The counter outlives its events, so that a reader coming back late hears "not recovered" instead of reused ids.
META_TTL_MS: Final = 7 * 24 * 3600 * 1000
DEDUPE_TTL_MS: Final = 900 * 1000

TERMINAL_STATUSES: Final = frozenset({"succeeded", "failed", "cancelled"})
PROGRESSED: Final = "jobs.job.progressed"
# What both job events carry (contract.md); anything else of a job row stays in web.
JOB_FIELDS: Final = ("id", "kind", "status", "progress", "result", "error", "owner", "attempt", "params")


def personal(user_id: str) -> str:
    """Name of the stream of one user."""
    return f"u:{user_id}"


def first_id(seconds: float) -> int:
    """The id at which a stream that begins at this time begins: every id given until then is smaller."""
    return int(seconds) << 20


def channel(stream: str) -> str:
    """PUBLISH channel that carries a stream: a process listens to all shards, a cluster spreads them."""
    return f"rt:p:{zlib.crc32(stream.encode()) % SHARDS}"


def counter_key(stream: str) -> str:
    return f"rt:n:{{{stream}}}"


def base_key(stream: str) -> str:
    return f"rt:b:{{{stream}}}"


def stream_key(stream: str) -> str:
    return f"rt:s:{{{stream}}}"


def dedupe_key(stream: str, event_id: str) -> str:
    return f"rt:d:{{{stream}}}:{event_id}"


def job_key(stream: str, job_id: str) -> str:
    return f"rt:j:{{{stream}}}:{job_id}"


def length_cap(stream: str) -> int:
    return PERSONAL_LENGTH if stream.startswith("u:") else SHARED_LENGTH


# Lua's numbers are doubles: ids stay below 2^53 until the year 2242, and %.0f prints them without an exponent.
_START = """
local function start(counter, base, ttl)
  if redis.call('EXISTS', counter) == 0 or redis.call('EXISTS', base) == 0 then
    local t = redis.call('TIME')
    local first = string.format('%.0f', tonumber(t[1]) * 1048576 + tonumber(t[2]))
    redis.call('SET', counter, first, 'PX', ttl)
    redis.call('SET', base, first, 'PX', ttl)
  end
end
"""

# KEYS: counter, base, stream. ARGV: meta ttl, channel, stream name, the highest id the caller has seen (0: none).
# Announces the stream's position on its own channel: whoever hears that has heard every earlier event too. A counter
# below `seen` belongs to a Redis that came back without its last writes: numbers would be used twice, so start anew.
OPEN_LUA: Final = (
    _START
    + """
if tonumber(redis.call('GET', KEYS[1]) or ARGV[4]) < tonumber(ARGV[4]) then
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
end
start(KEYS[1], KEYS[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
local position = redis.call('GET', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3] .. '\\0=' .. position .. '\\0')
return position
"""
)

# KEYS: counter, base, stream. ARGV: after. Answers {position, base, [[entry id, [d, body]], ...]} with everything that
# is kept later than `after`; position and base are '' for a stream that Redis does not know.
READ_LUA: Final = """
local entries = redis.call('XRANGE', KEYS[3], '(' .. ARGV[1] .. '-0', '+')
return {redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or '', entries}
"""

# KEYS: counter, base, stream, dedupe, job. ARGV: channel, stream name, head, done, tail, over (0|1|-1), length cap,
# stream ttl, meta ttl, dedupe ttl, version. Answers the id given to the event, or '' when it had been appended before,
# or when the stream has shown this version of its subject, or a later one. over = -1 means that the event is not about
# a job; done = '' that it carries no progress; version = 0 that it does not replace what was told before it.
APPEND_LUA: Final = (
    _START
    + """
if not redis.call('SET', KEYS[4], '1', 'NX', 'PX', ARGV[10]) then return '' end
if ARGV[11] ~= '0' then
  if tonumber(ARGV[11]) <= tonumber(redis.call('HGET', KEYS[5], 'version') or 0) then return '' end
  redis.call('HSET', KEYS[5], 'version', ARGV[11])
  redis.call('PEXPIRE', KEYS[5], ARGV[8])
end
start(KEYS[1], KEYS[2], ARGV[9])
local body = ARGV[3]
if ARGV[6] ~= '-1' then
  if ARGV[4] ~= '' then
    local done = math.max(tonumber(ARGV[4]), tonumber(redis.call('HGET', KEYS[5], 'done') or 0))
    redis.call('HSET', KEYS[5], 'done', string.format('%.0f', done))
    body = body .. string.format('%.0f', done) .. ARGV[5]
  end
  if ARGV[6] == '1' then redis.call('HSET', KEYS[5], 'over', '1') else redis.call('HDEL', KEYS[5], 'over') end
  redis.call('PEXPIRE', KEYS[5], ARGV[8])
end
local seq = string.format('%.0f', redis.call('INCR', KEYS[1]))
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], seq .. '-0', 'd', body)
redis.call('PEXPIRE', KEYS[3], ARGV[8])
redis.call('PEXPIRE', KEYS[1], ARGV[9])
redis.call('PEXPIRE', KEYS[2], ARGV[9])
redis.call('PUBLISH', ARGV[1], ARGV[2] .. '\\0' .. seq .. '\\0' .. body)
return seq
"""
)

# KEYS: job. ARGV: channel, stream name, head, done, tail, ttl. Answers 1 when the tick was sent.
PROGRESS_LUA: Final = """
if redis.call('HEXISTS', KEYS[1], 'over') == 1 then return 0 end
if tonumber(ARGV[4]) < tonumber(redis.call('HGET', KEYS[1], 'done') or 0) then return 0 end
redis.call('HSET', KEYS[1], 'done', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PUBLISH', ARGV[1], ARGV[2] .. '\\0-\\0' .. ARGV[3] .. ARGV[4] .. ARGV[5])
return 1
"""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One durable event on its way into a stream. `name` is the event type without `ochaq.` and version.

    An event that tells the whole state of what `data["id"]` names carries that state's `version`: one that comes late,
    after a newer state was shown, is dropped.
    """

    id: str
    name: str
    time: str
    data: Mapping[str, Any]
    version: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    """What travels over PUBLISH. An ephemeral event has no id; an announcement of a position has no body."""

    stream: str
    id: int | None
    body: bytes

    @property
    def is_position(self) -> bool:
        return not self.body


def timestamp(now: datetime | None = None) -> str:
    """RFC 3339 UTC with milliseconds, as contract.md wants every time."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_published(payload: bytes) -> Published:
    """Reads one PUBLISH payload `stream NUL (id | - | =position) NUL body`; raises ValueError for anything else."""
    stream, number, body = payload.split(b"\0", 2)
    return Published(stream.decode(), None if number == b"-" else int(number.removeprefix(b"=")), body)


def append(redis: Redis, stream: str, event: LiveEvent) -> int | None:
    """Adds one durable event; answers its id, or None when it, or a later state of its subject, was there before."""
    return append_many(redis, [(stream, event)])[0]


def append_many(redis: Redis, items: Sequence[tuple[str, LiveEvent]]) -> list[int | None]:
    """Adds events in order with one round trip. Safe to repeat as a whole: event ids are remembered for 15 minutes."""
    if not items:
        return []
    try:
        answers = _run_appends(redis, items)
    except NoScriptError:
        redis.script_load(APPEND_LUA)
        answers = _run_appends(redis, items)
    return [int(answer) if answer else None for answer in answers]


def publish_progress(redis: Redis, owner: str, job: Mapping[str, Any]) -> bool:
    """Sends one `jobs.job.progressed` tick to the job's owner; False when a later state had been seen already.

    `job` is the job's public shape; it must have `id` and `progress` with `done`.
    """
    stream = personal(owner)
    data = {name: job[name] for name in JOB_FIELDS if name in job}
    head, done, tail = _split_progress(PROGRESSED, timestamp(), data)
    if done is None:
        raise ValueError("a progress event needs a progress with done")
    keys = [job_key(stream, str(job["id"]))]
    args: list[Any] = [channel(stream), stream, head, done, tail, STREAM_TTL_MS]
    return bool(redis.eval(PROGRESS_LUA, len(keys), *keys, *args))


def _run_appends(redis: Redis, items: Sequence[tuple[str, LiveEvent]]) -> list[Any]:
    pipeline = redis.pipeline(transaction=False)
    for stream, event in items:
        _queue_append(pipeline, stream, event)
    return pipeline.execute()


def _queue_append(pipeline: Pipeline, stream: str, event: LiveEvent) -> None:
    head, done, tail = _split_progress(event.name, event.time, event.data)
    keys = [
        counter_key(stream),
        base_key(stream),
        stream_key(stream),
        dedupe_key(stream, event.id),
        job_key(stream, str(event.data.get("id", ""))),
    ]
    args = [
        *(channel(stream), stream, head, "" if done is None else done, tail, _over(event)),
        *(length_cap(stream), STREAM_TTL_MS, META_TTL_MS, DEDUPE_TTL_MS, event.version),
    ]
    pipeline.evalsha(APPEND_SHA, len(keys), *keys, *args)


def _over(event: LiveEvent) -> int:
    if not event.name.startswith("jobs.job."):
        return -1
    return int(event.data.get("status") in TERMINAL_STATUSES)


def _split_progress(name: str, time: str, data: Mapping[str, Any]) -> tuple[bytes, int | None, bytes]:
    """The event's JSON cut around the number `progress.done`, so that Lua can raise it without parsing JSON.

    Lua's own JSON turns empty lists into objects and large integers into floats; text around one number is safe.
    """
    progress = data.get("progress") if name.startswith("jobs.job.") else None
    start = b'{"name":' + orjson.dumps(name) + b',"time":' + orjson.dumps(time) + b',"data":'
    if not isinstance(progress, Mapping) or progress.get("done") is None:
        return start + orjson.dumps(dict(data)) + b"}", None, b""
    rest = orjson.dumps({key: value for key, value in data.items() if key != "progress"})[:-1]
    beside = orjson.dumps({key: value for key, value in progress.items() if key != "done"})
    comma = b"," if len(rest) > 1 else b""
    tail = (b"," + beside[1:-1] if len(beside) > 2 else b"") + b"}}}"
    return start + rest + comma + b'"progress":{"done":', int(progress["done"]), tail


def _sha(script: str) -> str:
    # Redis itself names scripts by SHA-1; nothing here relies on it as a safe hash.
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


APPEND_SHA: Final = _sha(APPEND_LUA)


def open_call(stream: str, seen: int = 0) -> tuple[list[str], list[str | int]]:
    """KEYS and ARGV of `OPEN_LUA`, for whichever client (synchronous or not) evaluates it."""
    return [counter_key(stream), base_key(stream), stream_key(stream)], [META_TTL_MS, channel(stream), stream, seen]


def read_call(stream: str, after: int) -> tuple[list[str], list[str | int]]:
    """KEYS and ARGV of `READ_LUA`."""
    return [counter_key(stream), base_key(stream), stream_key(stream)], [after]


def revoke(redis: Redis, user_id: str, session: str | None) -> None:
    """Tells every realtime process to cut a session's sockets (all of the user's when `session` is None).

    Also kept for a few minutes: a process that was cut off from Redis meanwhile reads it when it comes back.
    """
    now = datetime.now(UTC).timestamp()
    message = orjson.dumps({"user_id": user_id, "session": session, "at": now})
    pipeline = redis.pipeline(transaction=False)
    pipeline.zremrangebyscore(REVOKED_KEY, "-inf", now - REVOKED_SECONDS)
    pipeline.zadd(REVOKED_KEY, {message: now})
    pipeline.expire(REVOKED_KEY, REVOKED_SECONDS)
    pipeline.publish(CONTROL_CHANNEL, message)
    pipeline.execute()
