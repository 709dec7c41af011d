"""Every event type has schema, example, owner, words and readers, and a changed shape is found out."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest
from event_examples import MINOR
from ochaq_shared.bus import topology
from ochaq_shared.events import CloudEvent, schema_files
from ochaq_shared.events.catalogue import (
    EXAMPLES,
    EventType,
    catalogue,
    envelope_schema,
    matches,
    queues_of,
    service_of,
    types_of,
)
from ochaq_shared.outbox import COMMANDS_EXCHANGE

SERVICES = {"web", "files", "search", "realtime", "worker"}
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
every_type = pytest.mark.parametrize("row", catalogue(), ids=lambda row: row.type)


def strictly(schema: dict[str, object]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@every_type
def test_a_type_has_an_owner_a_description_a_lane_and_somebody_who_reads_it(row: EventType) -> None:
    assert row.owner in SERVICES
    assert row.description.endswith((".", "!")), "a description is a sentence"
    assert row.lane and row.retention
    assert row.consumers, "a fact nobody reads ends in ochaq.unrouted"
    assert {consumer.service for consumer in row.consumers} <= SERVICES
    assert row.fields and all(field.type for field in row.fields)


@every_type
def test_its_example_is_a_whole_event_that_fits_model_and_schema(row: EventType) -> None:
    golden = row.example
    strictly(envelope_schema()).validate(golden)
    strictly(json.loads((schema_files.DIRECTORY / f"{row.type}.json").read_text())).validate(golden["data"])
    event = CloudEvent.parse(json.dumps(golden))
    assert event.model_dump() == golden, "an example names every attribute that travels, and no other"
    assert event.fact().model_dump(mode="json") == golden["data"]
    assert (golden["type"], golden["source"]) == (row.type, row.source)
    assert UUID7.fullmatch(golden["id"]) and golden["requestid"] and golden["traceparent"].startswith("00-")
    assert datetime.fromisoformat(golden["time"]).tzinfo is not None


@every_type
def test_unknown_attributes_of_the_envelope_are_tolerated_and_unknown_data_is_not(row: EventType) -> None:
    golden = row.example
    assert CloudEvent.parse(json.dumps({**golden, **MINOR})) == CloudEvent.parse(json.dumps(golden))
    more = {**golden["data"], "undeclared": 1}
    with pytest.raises(jsonschema.ValidationError):
        strictly(row.schema).validate(more)
    for name in golden["data"]:
        with pytest.raises(jsonschema.ValidationError):
            strictly(row.schema).validate({key: value for key, value in golden["data"].items() if key != name})


def test_there_is_one_example_and_one_schema_for_each_type_and_none_beside_them() -> None:
    names = {f"{row.type}.json" for row in catalogue()}
    assert {path.name for path in EXAMPLES.iterdir()} == names
    assert {path.name for path in schema_files.DIRECTORY.iterdir()} == names


def test_no_two_examples_share_an_id() -> None:
    ids = [row.example["id"] for row in catalogue()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("binding", "key", "holds"),
    [
        ("ochaq.jobs.job.#", "ochaq.jobs.job.changed.v1", True),
        ("ochaq.jobs.job.#", "ochaq.jobs.job", True),
        ("ochaq.jobs.job.#", "ochaq.jobs.jobs.changed.v1", False),
        ("ochaq.*.job.changed.v1", "ochaq.jobs.job.changed.v1", True),
        ("ochaq.*.v1", "ochaq.jobs.job.v1", False),
        ("#", "anything.at.all", True),
        ("ochaq.chat.#", "ochaq.chatter.x", False),
        ("ochaq.jobXjob", "ochaq.job.job", False),
    ],
)
def test_bindings_match_as_a_topic_exchange_does(binding: str, key: str, holds: bool) -> None:
    assert matches(binding, key) is holds


def test_every_queue_of_events_is_read_by_a_service_and_gets_something() -> None:
    for queue in topology.QUEUES:
        assert service_of(queue) in SERVICES
        assert queue.exchange == COMMANDS_EXCHANGE or types_of(queue), f"nothing comes through {queue.name}"


def test_an_ephemeral_fact_comes_through_no_queue() -> None:
    (progressed,) = [row for row in catalogue() if not row.durable]
    assert progressed.name == "jobs.job.progressed"
    assert queues_of(progressed.type) and all(progressed not in types_of(queue) for queue in topology.QUEUES)
    assert [(reader.service, reader.queue) for reader in progressed.consumers] == [("realtime", "")]


def test_make_schemas_refuses_to_change_the_shape_of_a_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(schema_files, "DIRECTORY", tmp_path)
    monkeypatch.setattr(schema_files, "DOCUMENTS", tmp_path / "documents")
    schema_files.write()
    path = tmp_path / "ochaq.students.student.removed.v1.json"
    original = path.read_text()
    path.write_text(original.replace('"description": "', '"description": "In other words: '))
    schema_files.write()
    assert path.read_text() == original, "words are no shape"
    for old, new in (('"integer"', '"string"'), ('"id"', '"title"')):
        path.write_text(original.replace(old, new))
        with pytest.raises(schema_files.ShapeChanged, match=r"student\.removed"):
            schema_files.write()
