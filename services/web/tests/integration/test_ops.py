"""The operators' page looks at the real servers."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import close, connect
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.search import IndexRebuilt
from ochaq_web.config.environment import environment
from ochaq_web.ops import probes
from ochaq_web.ops.alarms import alarms
from ochaq_web.ops.events import on_index_rebuilt
from ochaq_web.ops.models import IndexState

pytestmark = pytest.mark.django_db


class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        down = self.server.server_port == self.server.down_port
        body = json.dumps(
            {"ready": not down, "checks": {"database": {"ok": not down, "error": "OperationalError"}}}
        ).encode()
        self.send_response(503 if down else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Quiet."""


@pytest.fixture
def process():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ready)
    server.down_port = None
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def with_settings(monkeypatch):
    def use(**changes):
        changed = environment().model_copy(update=changes)
        monkeypatch.setattr(probes, "environment", lambda: changed)

    return use


def test_each_process_of_the_list_is_asked(process, tmp_path, with_settings):
    port = process.server_port
    rows = [
        {"name": "web-serve", "host": "127.0.0.1", "port": port, "kind": "service"},
        {"name": "postgres", "host": "127.0.0.1", "port": port, "kind": "server"},
        {"name": "gone", "host": "127.0.0.1", "port": 9, "kind": "service"},
    ]
    (tmp_path / "processes.json").write_text(json.dumps(rows))
    with_settings(status_file=tmp_path / "processes.json")
    found = {row["name"]: row for row in probes.processes()}
    assert [found[name]["ready"] for name in ("web-serve", "postgres", "gone")] == [True, True, False]
    assert found["gone"]["detail"] == "ConnectError"


def test_a_process_that_is_not_ready_says_which_check_fails(process, tmp_path, with_settings):
    process.down_port = process.server_port
    rows = [{"name": "web-serve", "host": "127.0.0.1", "port": process.server_port, "kind": "service"}]
    (tmp_path / "processes.json").write_text(json.dumps(rows))
    with_settings(status_file=tmp_path / "processes.json")
    assert probes.processes()[0]["detail"] == "database: OperationalError"


@pytest.mark.parametrize("text", [None, "{", ""])
def test_without_a_readable_list_there_are_no_processes(tmp_path, with_settings, text):
    path = tmp_path / "processes.json"
    if text is not None:
        path.write_text(text)
    with_settings(status_file=path)
    assert probes.processes() == []


def test_queues_are_counted_by_the_broker(servers, with_settings):
    url = servers.amqp_url()
    with_settings(amqp_url=url)
    assert {row["error"] for row in probes.queues()} == {"not declared yet"}
    opened = connect(url)
    channel = opened.channel()
    topology.declare(channel)
    close(opened)
    found = {row["name"]: row for row in probes.queues()}
    assert (found["q.web.events"]["ready"], found["q.web.events"]["consumers"]) == (0, 0)
    assert "ochaq.dead" in found


class Metrics(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"""# TYPE ochaq_outbox_pending gauge
ochaq_outbox_pending{service="files"} 12.0
# TYPE ochaq_outbox_oldest_seconds gauge
ochaq_outbox_oldest_seconds{service="files"} 41.5
"""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Quiet."""


def test_other_services_outboxes_are_read_from_their_relays(tmp_path, with_settings):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    rows = [
        {"name": "files-relay", "host": "127.0.0.1", "port": server.server_port, "kind": "service"},
        {"name": "web-relay", "host": "127.0.0.1", "port": 9, "kind": "service"},
        {"name": "shop-relay", "host": "127.0.0.1", "port": 9, "kind": "service"},
    ]
    (tmp_path / "processes.json").write_text(json.dumps(rows))
    with_settings(status_file=tmp_path / "processes.json")
    files, shop = probes.outboxes()
    server.shutdown()
    server.server_close()
    assert (files["service"], files["pending"], files["oldest_seconds"]) == ("files", 12, 41.5)
    assert (shop["pending"], shop["error"]) == (None, "ConnectError")
    (stuck,) = alarms(processes=[], queues=[], outboxes=[files, shop], seen=SEEN)
    assert stuck.level == "error"
    assert "files" in stuck.text


SEEN = {"publishing": "ok", "seconds_ago": 1.0, "dead": 0, "oldest_dead_seconds": None}


@pytest.mark.parametrize(("oldest", "level"), [(0.2, None), (6, "warning"), (31, "error")])
def test_an_outbox_is_an_alarm_by_the_age_of_its_oldest_message(oldest, level):
    box = {"service": "web", "pending": 1, "oldest_seconds": oldest}
    found = alarms(processes=[], queues=[], outboxes=[box], seen=SEEN)
    assert [alarm.level for alarm in found] == ([level] if level else [])


def test_a_relay_that_is_refused_by_the_broker_is_an_alarm_of_its_own():
    row = {"name": "files-relay", "ready": False, "detail": "rabbitmq: PublishingBlocked"}
    (alarm,) = alarms(processes=[row], queues=[], outboxes=[], seen=SEEN)
    assert "takes no messages" in alarm.text


def test_a_broker_that_is_away_is_told(browser):
    page = browser("operator").get("/ops/")
    assert page.status_code == 200
    assert page.context["queues"]["error"]
    assert page.context["outbox"]["pending"] == 0
    assert page.context["caches"]["hits"] is not None


def test_a_rebuilt_index_is_shown_and_an_older_one_changes_nothing(browser):
    def tell(documents, time):
        fact = IndexRebuilt(index="students", documents=documents, seconds=1.5, job_id=None)
        event = CloudEvent.of(fact, subject="students", version=1).model_copy(update={"time": time})
        on_index_rebuilt(event, event.fact())

    tell(10, "2026-11-21T10:00:00.000Z")
    tell(20, "2026-11-21T11:00:00.000Z")
    tell(15, "2026-11-21T10:30:00.000Z")
    assert IndexState.objects.get().documents == 20
    assert browser("operator").get("/ops/").context["indexes"][0]["documents"] == 20
