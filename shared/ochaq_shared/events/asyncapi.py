"""The AsyncAPI 3.0 document of the bus, made from the registry and the topology (asyncapi.com/docs/reference/v3.0.0).

Two kinds of channels: what is published to (one per event type, by its routing key) and what is read (one per queue).
A command's queue is both. Ephemeral facts have a channel of their own on Redis. Servers are named by their role: where
they stand is each installation's own affair.
"""

from __future__ import annotations

from typing import Any

from ochaq_shared import live
from ochaq_shared.bus import topology
from ochaq_shared.bus.delivery import ATTEMPTS_HEADER
from ochaq_shared.events.catalogue import EventType, catalogue, envelope_schema, queues_of, service_of, types_of
from ochaq_shared.outbox import EVENTS_EXCHANGE

VERSION = "1.0.0"
JSON = "application/json"
CELERY, CELERY_GROUP, PLAIN = "jobs.run", "jobs.run_group", "search.rebuild"

_INFO = """What Ochaq's services tell each other over RabbitMQ and Redis.

Delivery is at least once: a consumer handles an event in one transaction with its inbox row, or is idempotent by
version or event id. Order holds within a subject. What fails five times ends in the queue `ochaq.dead`; what no queue
is bound to is kept in `ochaq.unrouted`. Unknown attributes of an envelope are to be ignored, unknown data is
refused."""


def document() -> dict[str, Any]:
    """The whole document, ready for JSON."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ochaq events and commands",
            "version": VERSION,
            "description": _INFO,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": JSON,
        "servers": _servers(),
        "channels": _channels(),
        "operations": _operations(),
        "components": {"schemas": _schemas(), "messages": _messages()},
    }


def _servers() -> dict[str, Any]:
    return {
        "bus": {
            "host": "{bus}",
            "protocol": "amqp",
            "protocolVersion": "0.9.1",
            "description": "RabbitMQ: everything that must not be lost.",
            "variables": {"bus": {"default": "rabbitmq", "description": "Host and port of the installation's broker."}},
        },
        "live": {
            "host": "{live}",
            "protocol": "redis",
            "description": "Redis: what may be missed, on its way to open sockets.",
            "variables": {"live": {"default": "redis", "description": "Host and port of the installation's Redis."}},
        },
    }


def _channels() -> dict[str, Any]:
    found = {row.type: _published(row) if row.durable else _ephemeral(row) for row in catalogue()}
    return {**found, **{queue.name: _queue(queue) for queue in topology.QUEUES}}


def _published(row: EventType) -> dict[str, Any]:
    exchange = {"name": EVENTS_EXCHANGE, "type": "topic", "durable": True, "autoDelete": False, "vhost": "/"}
    return {
        "address": row.type,
        "title": row.name,
        "description": f"{row.description}\n\nKept: {row.retention}.",
        "servers": [_ref("servers", "bus")],
        "messages": {row.name: _ref("components", "messages", row.type)},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange}},
    }


def _ephemeral(row: EventType) -> dict[str, Any]:
    return {
        "address": "rt:p:{shard}",
        "title": row.name,
        "description": f"{row.description}\n\nKept: {row.retention}. Before it: the stream's name, NUL, `-`, NUL.",
        "servers": [_ref("servers", "live")],
        "parameters": {
            "shard": {
                "description": "CRC-32 of the stream's name, modulo the number of shards.",
                "enum": [str(number) for number in range(live.SHARDS)],
            }
        },
        "messages": {row.name: _ref("components", "messages", row.type)},
    }


def _queue(queue: topology.Queue) -> dict[str, Any]:
    one = " One consumer at a time reads it, in order." if queue.ordered else ""
    return {
        "address": queue.name,
        "description": f"Read by {service_of(queue)}; bound to {', '.join(queue.bindings)} of {queue.exchange}.{one}",
        "servers": [_ref("servers", "bus")],
        "messages": {name: _ref("components", "messages", key) for name, key in _received(queue).items()},
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {
                    "name": queue.name,
                    "durable": True,
                    "exclusive": False,
                    "autoDelete": False,
                    "vhost": "/",
                },
            }
        },
        "x-arguments": topology.arguments(queue),
    }


def _received(queue: topology.Queue) -> dict[str, str]:
    """Name within the channel → name in the components."""
    if queue.exchange == EVENTS_EXCHANGE:
        return {row.name: row.type for row in types_of(queue)}
    commands = (PLAIN,) if service_of(queue) == "search" else (CELERY, CELERY_GROUP)
    return {command: command for command in commands}


def _operations() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in catalogue():
        if not row.planned:
            found[f"{row.owner}.send.{row.name}"] = _operation("send", row.type, [row.name], row.description)
        if not row.durable:
            found[f"realtime.receive.{row.name}"] = _operation("receive", row.type, [row.name], "To open sockets.")
    for queue in topology.QUEUES:
        names = list(_received(queue))
        if queue.exchange != EVENTS_EXCHANGE:
            found[f"web.send.{queue.name}"] = _operation("send", queue.name, names, "Through the outbox.")
        found[f"{service_of(queue)}.receive.{queue.name}"] = _operation("receive", queue.name, names, "")
    return found


def _operation(action: str, channel: str, messages: list[str], words: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "action": action,
        "channel": _ref("channels", channel),
        "messages": [_ref("channels", channel, "messages", name) for name in messages],
    }
    if words:
        found["summary"] = words.partition("\n")[0]
    if action == "send" and not channel.endswith(".progressed.v1"):
        found["bindings"] = {"amqp": {"deliveryMode": 2, "mandatory": True}}
    if action == "receive" and channel in {queue.name for queue in topology.QUEUES}:
        found["bindings"] = {"amqp": {"ack": True}}
    return found


def _messages() -> dict[str, Any]:
    return {
        **{row.type: _event(row) for row in catalogue()},
        CELERY: _celery(),
        CELERY_GROUP: _celery_group(),
        PLAIN: _plain(),
    }


def _event(row: EventType) -> dict[str, Any]:
    """Durable facts travel in their envelope; an ephemeral one as the frame that a socket gets."""
    payload = _enveloped(row) if row.durable else _framed(row)
    found: dict[str, Any] = {
        "name": row.type,
        "title": row.name,
        "summary": row.description.partition("\n")[0],
        "description": f"Owner: {row.owner}. Lane: {row.lane}." + " Planned: nobody tells it yet." * row.planned,
        "contentType": JSON,
        "payload": payload,
        "examples": [{"name": "golden", "payload": row.example if row.durable else _frame(row)}],
        "tags": [{"name": row.name.partition(".")[0]}],
        "x-owner": row.owner,
        "x-consumers": [queue.name for queue in queues_of(row.type)] if row.durable else ["realtime"],
    }
    if row.durable:
        found["headers"] = {
            "type": "object",
            "properties": {
                ATTEMPTS_HEADER: {"type": "integer", "minimum": 1, "description": "Tries so far; a retry carries it."}
            },
        }
        found["bindings"] = {"amqp": {"contentEncoding": "utf-8", "messageType": row.type}}
        found["correlationId"] = {
            "location": "$message.payload#/requestid",
            "description": "The request id of the click that began it all.",
        }
    return found


def _enveloped(row: EventType) -> dict[str, Any]:
    own = {
        "type": {"const": row.type},
        "source": {"const": row.source},
        "data": _ref("components", "schemas", row.type),
    }
    return {"allOf": [_ref("components", "schemas", "CloudEvent"), {"type": "object", "properties": own}]}


def _framed(row: EventType) -> dict[str, Any]:
    properties = {
        "name": {"const": row.name},
        "time": {"type": "string", "format": "date-time"},
        "data": _ref("components", "schemas", row.type),
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _frame(row: EventType) -> dict[str, Any]:
    return {"name": row.name, "time": row.example["time"], "data": row.example["data"]}


def _celery() -> dict[str, Any]:
    job = "0192f0c4-77aa-7d10-8f3e-5a1c0b9d2e41"
    return _celery_message(
        CELERY,
        "Run a job",
        "Start one job of web's; the task's id is the job's id.",
        {"type": "string", "format": "uuid"},
        job,
        job,
    )


def _celery_group() -> dict[str, Any]:
    jobs = [f"0192f0c4-77aa-7d10-8f3e-5a1c0b9d2e{number}" for number in (41, 42)]
    argument = {"type": "array", "minItems": 2, "maxItems": 25, "items": {"type": "string", "format": "uuid"}}
    summary = "Start short jobs of web's, children of one parent, one after another."
    return _celery_message(
        CELERY_GROUP, "Run short jobs", summary, argument, jobs, "0192f0c4-77aa-7d10-8f3e-5a1c0b9d2e40"
    )


def _celery_message(
    name: str, title: str, summary: str, argument: dict[str, Any], example: Any, task_id: str
) -> dict[str, Any]:
    task = f"ochaq.{name}"
    return {
        "name": name,
        "title": title,
        "summary": f"{summary} Celery's message protocol version 2.",
        "contentType": JSON,
        "headers": {
            "type": "object",
            "required": ["task", "id"],
            "properties": {"task": {"const": task}, "id": {"type": "string", "format": "uuid"}},
        },
        "payload": {
            "type": "array",
            "minItems": 3,
            "maxItems": 3,
            "items": [
                {"type": "array", "items": argument, "minItems": 1, "maxItems": 1},
                {"type": "object"},
                {"type": "object"},
            ],
        },
        "examples": [
            {
                "name": "golden",
                "headers": {"task": task, "id": task_id},
                "payload": [[example], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}],
            }
        ],
    }


def _plain() -> dict[str, Any]:
    properties = {"job_id": {"type": "string", "format": "uuid"}}
    return {
        "name": PLAIN,
        "title": "Rebuild an index",
        "summary": "A job for the search service, which is no Celery worker.",
        "contentType": JSON,
        "payload": {"type": "object", "required": ["job_id"], "properties": properties},
        "examples": [{"name": "golden", "payload": {"job_id": "0192f0c4-77aa-7d10-8f3e-5a1c0b9d2e42"}}],
    }


def _schemas() -> dict[str, Any]:
    found: dict[str, Any] = {"CloudEvent": envelope_schema()}
    for row in catalogue():
        # Nested models become schemas of their own: `$defs` of one schema cannot be pointed at from elsewhere.
        schema = row.model.model_json_schema(ref_template="#/components/schemas/{model}")
        found.update(schema.pop("$defs", {}))
        found[row.type] = schema
    return found


def _ref(*path: str) -> dict[str, str]:
    return {"$ref": "/".join(["#", *path])}
