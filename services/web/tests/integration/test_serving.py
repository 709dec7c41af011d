"""The layer around Django, and the commands that start processes."""

import io
import subprocess
import sys

import pytest
from ochaq_shared.health import Health
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


@pytest.mark.parametrize("arguments", [[], ["cook"]])
def test_an_unknown_command_says_what_there_is(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ochaq_web", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "serve|relay|consume|migrate|seed|manage" in done.stderr


def test_seeding_is_refused_outside_demo_mode():
    done = subprocess.run(
        [sys.executable, "-m", "ochaq_web", "seed"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "demo mode" in done.stderr


def test_the_relay_never_imports_django():
    program = "import ochaq_web.main, ochaq_shared.relay, sys; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
