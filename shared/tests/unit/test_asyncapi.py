"""The AsyncAPI document: as committed, valid by the specification's own schema, whole, and without addresses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jsonschema.protocols import Validator
from ochaq_shared.bus import topology
from ochaq_shared.events import asyncapi, schema_files
from ochaq_shared.events.catalogue import catalogue

OFFICIAL = json.loads((Path(__file__).parents[1] / "data" / "asyncapi-3.0.0.schema.json").read_text())
MACHINES = re.compile(r"\d+\.\d+\.\d+\.\d+|localhost:|127\.0|/tmp/|/home/|/work/|:\d{4,5}\b")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((schema_files.DOCUMENTS / "asyncapi.json").read_text())
    return found


def pointed(document: Any, reference: str) -> Any:
    """What a `$ref` points at; raises KeyError when there is nothing."""
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from references(part)


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Validator:
    """A validator whose `#/components/…` references lead into the document."""
    return jsonschema.Draft7Validator({**schema, "components": document["components"]})


def test_what_is_committed_is_what_the_code_says() -> None:
    committed = {path.name: path.read_text() for path in schema_files.DOCUMENTS.iterdir()}
    assert committed == schema_files.documents(), "run make schemas"


def test_the_specifications_own_schema_accepts_it(document: dict[str, Any]) -> None:
    jsonschema.Draft7Validator(OFFICIAL).validate(document)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["operations"]["web.send.jobs.short"].update(action="shout"),
        lambda document: document["channels"]["jobs.short"]["bindings"]["amqp"].update({"is": "tube"}),
        lambda document: document["servers"]["bus"].pop("host"),
        lambda document: document["info"].pop("version"),
        lambda document: document.update(asyncapi="2.6.0"),
        lambda document: document["components"]["messages"]["jobs.run"].update(colour="red"),
    ],
)
def test_the_specifications_own_schema_would_find_a_mistake(document: dict[str, Any], change: Any) -> None:
    broken = json.loads(json.dumps(document))
    change(broken)
    assert not jsonschema.Draft7Validator(OFFICIAL).is_valid(broken)


def test_every_reference_leads_somewhere_and_every_message_is_used(document: dict[str, Any]) -> None:
    found = set(references(document))
    for reference in found:
        pointed(document, reference)
    for kind in ("schemas", "messages"):
        unused = {name for name in document["components"][kind] if f"#/components/{kind}/{name}" not in found}
        assert unused == set()


def test_an_operation_handles_messages_of_its_own_channel(document: dict[str, Any]) -> None:
    for operation in document["operations"].values():
        assert operation["messages"]
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{operation['channel']['$ref']}/messages/")


def test_every_type_is_sent_by_its_owner_and_received_from_every_bound_queue(document: dict[str, Any]) -> None:
    operations = document["operations"]
    for row in catalogue():
        assert (f"{row.owner}.send.{row.name}" in operations) is not row.planned
        for reader in row.consumers:
            name = f"{reader.service}.receive.{reader.queue or row.name}"
            wanted = {"$ref": f"#/channels/{reader.queue or row.type}/messages/{row.name}"}
            assert operations[name]["action"] == "receive" and wanted in operations[name]["messages"]
    for queue in topology.QUEUES:
        assert document["channels"][queue.name]["x-arguments"] == topology.arguments(queue)


def test_every_message_has_examples_that_fit_its_payload_and_headers(document: dict[str, Any]) -> None:
    for name, message in document["components"]["messages"].items():
        assert message["examples"], name
        for example in message["examples"]:
            validator(document, message["payload"]).validate(example["payload"])
            validator(document, message.get("headers", {})).validate(example.get("headers", {}))


def test_a_payload_of_another_type_does_not_fit(document: dict[str, Any]) -> None:
    messages = document["components"]["messages"]
    first, second = "ochaq.students.student.created.v1", "ochaq.students.student.changed.v1"
    payload = messages[second]["examples"][0]["payload"]
    assert not validator(document, messages[first]["payload"]).is_valid(payload)


def test_it_tells_no_machine_of_anybody(document: dict[str, Any]) -> None:
    assert MACHINES.findall(json.dumps(document["servers"])) == []
    assert not re.search(r"/tmp/|/home/|/work/|127\.0", json.dumps(document))
    assert asyncapi.document()["servers"].keys() == {"bus", "live"}
