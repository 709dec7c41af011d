"""The operators' commands on a real broker: what they print, what they write down, what they refuse."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest.mock import ANY

import pytest
from ochaq_shared.bus import dead_letters, topology
from ochaq_shared.bus.connection import connect
from ochaq_shared.bus.dead_letters import Selection
from ochaq_shared.bus.delivery import REPLAY_HEADER, own_headers
from ochaq_shared.bus.parking import dead
from ochaq_shared.bus.publisher import Message, Publisher
from ochaq_shared.cli.audit import audited
from ochaq_shared.cli.main import main
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.ops import ActionTaken

Run = Callable[..., Any]


@pytest.fixture
def amqp(amqp: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OCHAQ_AMQP_URL", amqp)
    return amqp


@pytest.fixture
def run(amqp: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """run("dlq", "list") → what it printed as JSON."""

    def do(*words: str) -> Any:
        assert main([*words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return do


def die(amqp: str, *letters: Message) -> None:
    publisher = Publisher(amqp)
    with closing(publisher):
        assert not any(publisher.publish(letters))


def letter(
    name: str, queue: topology.Queue = topology.WEB_EVENTS, kind: str = "a.v1", error: str = "ValueError: 1 of 2"
) -> Message:
    return dead(queue, name, kind, b'{"id": "%s"}' % name.encode(), {"ochaq-attempts": 5, "own": "kept"}, "k", error)


def heard(amqp: str) -> list[CloudEvent]:
    """What was told to web, taken out of its queue."""
    found: list[Any] = []
    with closing(connect(amqp)) as connection:
        channel = connection.channel()
        channel.auto_decode = False
        channel.basic_consume(topology.WEB_EVENTS.name, no_ack=True, callback=found.append)
        with suppress(TimeoutError):
            while True:
                connection.drain_events(timeout=0.3)
    return [CloudEvent.parse(message.body) for message in found if message.properties["type"].startswith("ochaq.ops")]


def test_letters_are_listed_grouped_filtered_and_shown(amqp: str, run: Run) -> None:
    die(amqp, letter("x1"), letter("x2", error="ValueError: 7 of 9"), letter("x3", topology.FILES_EVENTS, "b.v1"))
    assert [row["id"] for row in run("dlq", "list")] == ["x1", "x2", "x3"]
    assert [row["id"] for row in run("dlq", "list", "--queue", "q.files.events")] == ["x3"]
    assert [row["id"] for row in run("dlq", "list", "--type", "a.v1")] == ["x1", "x2"]
    assert [(row["queue"], row["letters"]) for row in run("dlq", "list", "--grouped")] == [
        ("q.web.events", 2),
        ("q.files.events", 1),
    ]
    (shown,) = run("dlq", "show", "x3")
    assert (shown["queue"], shown["attempts"], shown["body"]) == ("q.files.events", 5, '{"id": "x3"}')
    assert shown["died_at"]
    assert main(["dlq", "show", "x3"]) == 0


def test_a_replay_goes_back_whole_and_is_written_down_before_and_after(amqp: str, run: Run) -> None:
    die(amqp, letter("x1", topology.FILES_EVENTS), letter("x2", topology.FILES_EVENTS))
    assert [row["id"] for row in run("dlq", "replay", "x1", "--reason", "it is mended")] == ["x1"]
    assert [row["id"] for row in run("dlq", "list")] == ["x2"]
    with closing(connect(amqp)) as connection:
        message = connection.channel().basic_get("q.files.events", no_ack=True)
    assert message.properties["message_id"] == "x1"
    assert own_headers(message.headers) == {"own": "kept", REPLAY_HEADER: ANY}
    asked, done = heard(amqp)
    assert asked.subject == done.subject and (asked.version, done.version) == (1, 2)
    first, last = asked.fact(), done.fact()
    assert isinstance(first, ActionTaken) and isinstance(last, ActionTaken)
    assert (first.status, first.reason, first.via, first.targets) == (
        "requested",
        "it is mended",
        "cli",
        ["q.files.events/x1"],
    )
    assert (last.status, last.outcome, last.action) == ("done", "1 sent back", "dlq.replay")


def test_filters_choose_what_is_dropped(amqp: str, run: Run) -> None:
    die(amqp, letter("x1"), letter("x2", topology.FILES_EVENTS), letter("x3", topology.FILES_EVENTS, "b.v1"))
    dropped = run("dlq", "drop", "--queue", "q.files.events", "--type", "a.v1", "--reason", "old")
    assert [row["id"] for row in dropped] == ["x2"]
    assert [row["id"] for row in run("dlq", "list")] == ["x1", "x3"]
    assert run("dlq", "drop", "--reason", "the rest") and run("dlq", "list") == []
    assert run("dlq", "drop", "--reason", "nothing is left") == []


def test_an_event_that_died_in_two_queues_has_two_letters(amqp: str, run: Run) -> None:
    die(amqp, letter("same"), letter("same", topology.FILES_EVENTS))
    dropped = run("dlq", "drop", "same", "--queue", "q.web.events", "--reason", "only there")
    assert [row["queue"] for row in dropped] == ["q.web.events"]
    assert [row["queue"] for row in run("dlq", "list")] == ["q.files.events"]


@pytest.mark.parametrize("words", [["replay"], ["drop", "x1"], ["replay", "--reason"]])
def test_without_a_reason_nothing_is_done(amqp: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    die(amqp, letter("x1"))
    with pytest.raises(SystemExit) as ended:
        main(["dlq", *words])
    assert ended.value.code == 2 and "--reason" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="reason is empty"):
        main(["dlq", "drop", "--reason", "  "])
    assert len(dead_letters.peek(amqp)) == 1


def test_an_unknown_letter_is_named(amqp: str) -> None:
    with pytest.raises(SystemExit, match="no such dead letter: nope"):
        main(["dlq", "drop", "nope", "--reason", "because"])
    assert heard(amqp) == []


def test_a_deed_that_fails_is_written_down_as_failed(amqp: str) -> None:
    with pytest.raises(ZeroDivisionError), audited(amqp, "x.y", targets=["z"], reason="try"):
        raise ZeroDivisionError("by zero")
    facts = [event.fact() for event in heard(amqp)]
    assert [(fact.status, fact.outcome) for fact in facts if isinstance(fact, ActionTaken)] == [
        ("requested", ""),
        ("failed", "ZeroDivisionError: by zero"),
    ]


def test_looking_is_bounded_by_number_and_bytes_and_changes_nothing(amqp: str) -> None:
    die(amqp, *[Message(f"m{n}", topology.DEAD_EXCHANGE, "q", b"x" * 200_000) for n in range(20)])
    assert len(dead_letters.peek(amqp, most=7)) == 7
    assert len(dead_letters.peek(amqp, most_bytes=1_000_000)) == 6
    for _ in range(5):
        assert sorted(found.id for found in dead_letters.peek(amqp)) == sorted(f"m{n}" for n in range(20))
    count, oldest = dead_letters.count(amqp)
    assert (count, oldest) == (20, None), "nobody wrote down when these died"
    assert len(dead_letters.drop(amqp, Selection(ids=frozenset({"m3"})))) == 1


def test_the_oldest_letter_is_first_whoever_looked_at_others_before(amqp: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for age in (3, 2, 1):
        monkeypatch.setattr("ochaq_shared.bus.parking.time.time", lambda age=age: 1_800_000_000 - age * 60)
        die(amqp, letter(f"x{age}"))
    monkeypatch.undo()
    for _ in range(4):
        dead_letters.peek(amqp, most=1)
        assert [found.id for found in dead_letters.peek(amqp)] == ["x3", "x2", "x1"]
    count, oldest = dead_letters.count(amqp)
    assert oldest is not None
    assert (count, oldest.timestamp()) == (3, 1_800_000_000 - 180)


def test_status_names_every_queue_and_what_is_not_declared(amqp: str, run: Run) -> None:
    die(amqp, letter("x1"))
    with closing(connect(amqp)) as connection:
        connection.channel().queue_delete("retry.10m")
    rows = {row["queue"]: row for row in run("bus", "status")}
    # The probe that asks whether messages are taken declares everything anew.
    assert rows["ochaq.dead"]["ready"] == 1 and rows["retry.10m"]["ready"] is None
    assert {row["queue"] for row in run("bus", "status")} == set(topology.names())
    assert len(run("bus", "declare")) == len(topology.QUEUES)


class Management(BaseHTTPRequestHandler):
    """The one answer of RabbitMQ's management API that the command reads."""

    def do_GET(self) -> None:
        assert self.headers["Authorization"].startswith("Basic ")
        body = json.dumps([{"name": "q.web.events", "messages_unacknowledged": 3}]).encode()
        self.send_response(200 if self.path.startswith("/api/queues/test-") else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def test_status_tells_what_is_unacked_where_the_management_api_is_there(amqp: str, run: Run) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Management)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    rows = {row["queue"]: row for row in run("bus", "status", "--management", address)}
    server.shutdown()
    server.server_close()
    assert (rows["q.web.events"]["unacked"], rows["q.files.events"]["unacked"]) == (3, None)
    with pytest.raises(SystemExit, match="did not answer"):
        main(["bus", "status", "--management", address])


def test_a_queue_that_exists_otherwise_is_named_with_what_to_do(amqp: str) -> None:
    with closing(connect(amqp)) as connection:
        channel = connection.channel()
        channel.queue_delete("retry.1m")
        channel.queue_declare("retry.1m", durable=True, auto_delete=False, arguments={"x-message-ttl": 5})
    try:
        with pytest.raises(SystemExit, match=r"queue retry\.1m exists with other arguments .*delete_queue retry\.1m"):
            main(["bus", "declare"])
    finally:
        with closing(connect(amqp)) as connection:
            channel = connection.channel()
            channel.queue_delete("retry.1m")
            topology.declare(channel)


def test_without_a_broker_every_command_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCHAQ_AMQP_URL", "amqp://guest:guest@127.0.0.1:9/")
    for words in (["bus", "status"], ["bus", "declare"], ["dlq", "list"], ["dlq", "drop", "--reason", "x"]):
        with pytest.raises(SystemExit, match="cannot connect to RabbitMQ"):
            main(words)
