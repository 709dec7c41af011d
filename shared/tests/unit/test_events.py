"""Events: envelopes round-trip, schemas are guarded, what is undeclared is refused."""

import pytest
from ochaq_shared.events import CloudEvent, UnknownEvent, registry
from ochaq_shared.events.schema_files import DIRECTORY, render
from ochaq_shared.events.students import StudentRemoved, StudentsBatchCreated
from ochaq_shared.telemetry import bind_request


def test_every_schema_is_committed_and_unchanged() -> None:
    assert {path.name: path.read_text() for path in DIRECTORY.glob("*.json")} == render()


def test_every_type_is_named_domain_subject_fact_and_version() -> None:
    for name in registry():
        assert name.startswith("ochaq.") and len(name.split(".")) == 5 and name.endswith(".v1")


def test_an_event_survives_the_wire_and_carries_the_request_on() -> None:
    what = StudentsBatchCreated(first_id=1, last_id=3, count=3, job_id="j")
    with bind_request("0123456789abcdef", "00-a-b-01"):
        event = CloudEvent.of(what, subject="students", version=1)
    again = CloudEvent.parse(event.encode())
    assert again == event
    assert again.fact() == what
    assert (again.requestid, again.traceparent) == ("0123456789abcdef", "00-a-b-01")
    assert again.name == "students.batch.created"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"type": "ochaq.x.y.z.v1"}', b"\xff"])
def test_a_body_that_is_no_event_is_unknown(body: bytes) -> None:
    with pytest.raises(UnknownEvent):
        CloudEvent.parse(body)


@pytest.mark.parametrize(
    "changes", [{"type": "ochaq.students.student.exploded.v1"}, {"data": {"id": 1, "extra": 2}}, {"data": {}}]
)
def test_a_foreign_type_or_undeclared_data_is_unknown(changes: dict[str, object]) -> None:
    event = CloudEvent.of(StudentRemoved(id=1), subject="student:1", version=2)
    with pytest.raises(UnknownEvent):
        event.model_copy(update=changes).fact()
