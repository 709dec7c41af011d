"""The layer around Django, and the commands that start processes."""

import io
import subprocess
import sys
import threading

import psycopg
import pytest
from ochaq_shared.health import Health
from ochaq_shared.postgres import Outage
from ochaq_web.core import serving
from ochaq_web.core.serving import Serving, health_of


def call(application, path, query="", **environ):
    seen = {}

    def start(status, headers):
        seen.update(status=status, headers=dict(headers))

    body = b"".join(application({"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": "GET", **environ}, start))
    return seen["status"], body


def django(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) if "wsgi.input" in environ else b""
    start_response("200 OK", [])
    return [b"django " + body]


def test_health_is_answered_before_django():
    application = Serving(django, health_of("serve"))
    assert call(application, "/livez") == ("200 OK", b"ok")
    assert call(application, "/readyz") == ("200 OK", b"ready")
    status, body = call(application, "/readyz", "verbose")
    assert status == "200 OK"
    assert b'"database"' in body
    assert b"ochaq_http_requests_total" in call(application, "/metrics")[1]
    assert call(application, "/")[1] == b"django "


def test_a_dead_database_makes_the_process_unready_but_not_dead():
    def dead():
        raise ConnectionError

    health = Health("web", "serve")
    health.check("database", dead)
    application = Serving(django, health)
    assert call(application, "/readyz")[0].startswith("503")
    assert call(application, "/livez")[0] == "200 OK"


def test_a_body_without_a_length_is_read_before_django_would_take_it_for_empty():
    application = Serving(django, Health("web", "serve"))
    body = call(application, "/x", HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input": io.BytesIO(b"flour" * 100_000)})[
        1
    ]
    assert body == b"django " + b"flour" * 100_000


def test_a_body_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(serving, "MOST_BYTES", 1000)
    application = Serving(django, Health("web", "serve"))
    status, body = call(application, "/x", HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input": io.BytesIO(b"x" * 2000)})
    assert status.startswith("413")
    assert b"too_large" in body


class Stream(list):
    """An answer that is still being sent, as Django's StreamingHttpResponse is."""

    streaming = True
    closed = False

    def close(self):
        self.closed = True


def asking(application, path="/x"):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(application({"PATH_INFO": path}, lambda *_: None)))
    thread.start()
    return thread, answers


def test_a_request_waits_while_as_many_as_may_are_at_work():
    inside, go_on = threading.Semaphore(0), threading.Event()

    def slow(environ, start_response):
        inside.release()
        go_on.wait(10)
        return [b""]

    application = Serving(slow, Health("web", "serve"), at_once=2)
    threads = [asking(application)[0] for _ in range(3)]
    assert inside.acquire(timeout=5)
    assert inside.acquire(timeout=5)
    assert not inside.acquire(timeout=0.3)
    assert call(application, "/livez")[0] == "200 OK"
    go_on.set()
    assert inside.acquire(timeout=5)
    for thread in threads:
        thread.join(5)


def test_a_stream_is_at_work_until_it_is_closed_and_a_failure_is_not():
    stream = Stream([b"a", b"b"])
    application = Serving(lambda *_: stream, Health("web", "serve"), at_once=1)
    answer = application({"PATH_INFO": "/x"}, lambda *_: None)
    assert list(answer) == [b"a", b"b"]
    thread, answers = asking(application)
    thread.join(0.3)
    assert not answers
    answer.close()
    answer.close()
    thread.join(5)
    assert answers
    assert stream.closed
    answers[0].close()

    def broken(*_):
        raise ZeroDivisionError

    application.application = broken
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            application({"PATH_INFO": "/x"}, lambda *_: None)


def test_nobody_waits_behind_those_who_wait_for_a_dead_database(monkeypatch):
    away = Outage(rest=60)
    monkeypatch.setattr(serving, "outage", away)
    monkeypatch.setattr(serving, "TURN_SECONDS", 0.05)
    go_on, dead = threading.Event(), threading.Event()

    def check():
        if dead.is_set():
            raise ConnectionError

    def answer(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            go_on.wait(10)
        return [b""]

    health = Health("web", "serve")
    health.check("database", check)
    application = Serving(answer, health, at_once=1)
    first, _ = asking(application, "/slow")
    dead.set()
    second, answers = asking(application)
    second.join(5)
    assert answers
    with pytest.raises(psycopg.OperationalError, match="away"):
        away.enter()
    # The next one is not kept waiting even to find that out.
    monkeypatch.setattr(serving, "TURN_SECONDS", 60)
    third, answers = asking(application)
    third.join(5)
    assert answers
    go_on.set()
    first.join(5)


@pytest.mark.parametrize("arguments", [[], ["cook"]])
def test_an_unknown_command_says_what_there_is(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ochaq_web", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "serve|relay|consume|migrate|seed|manage" in done.stderr


def test_seeding_is_refused_without_a_demo_password():
    done = subprocess.run(
        [sys.executable, "-m", "ochaq_web", "seed"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "OCHAQ_DEMO_PASSWORD" in done.stderr


def test_the_relay_never_imports_django():
    program = "import ochaq_web.main, ochaq_shared.relay, sys; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
