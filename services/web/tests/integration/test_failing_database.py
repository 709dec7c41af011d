"""A PostgreSQL that crashes, stands still or is full: quick 503s meanwhile, and no process has to be started again."""

import json
import signal
import subprocess
import sys
import time

import httpx
import pytest
from breakable_postgres import BreakablePostgres, timed
from failing_database import Service, wait_ready
from free_ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PASSWORD = "salt and pepper 42"
STUDENTS = "/api/v1/students/"


@pytest.fixture(scope="module")
def postgres():
    with BreakablePostgres() as server:
        yield server


@pytest.fixture(scope="module")
def house(postgres, servers, process_environment):
    house = {
        **process_environment,
        "OCHAQ_MODE": "test",
        "OCHAQ_DEMO_PASSWORD": PASSWORD,
        "OCHAQ_PUBLIC_URL": "http://127.0.0.1:8080",
        "OCHAQ_DATABASE_URL": postgres.database("ochaq_web"),
        "OCHAQ_AMQP_URL": servers.amqp_url(),
    }
    for command in ("migrate", "seed"):
        subprocess.run([sys.executable, "-m", "ochaq_web", command], env=house, check=True, timeout=90)
    return house


@pytest.fixture(scope="module")
def processes(house, tmp_path_factory):
    """`serve` and `consume`, and the addresses where they answer. The same ones for all tests: nobody restarts them."""
    logs = tmp_path_factory.mktemp("logs")
    status = logs / "processes.json"
    started = {}
    for command in ("serve", "consume"):
        port = free_port()
        with (logs / command).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ochaq_web", command],
                env={**house, "OCHAQ_BIND_PORT": str(port), "OCHAQ_STATUS_FILE": str(status)},
                stdout=log,
                stderr=log,
            )
        started[command] = (process, f"http://127.0.0.1:{port}", logs / command)
    rows = [{"name": f"web-{name}", "port": int(url.rpartition(":")[2])} for name, (_, url, _) in started.items()]
    status.write_text(json.dumps([{**row, "host": "127.0.0.1", "kind": "service"} for row in rows]))
    try:
        for _, url, _ in started.values():
            wait_ready(url, 200)
        yield started
    finally:
        for process, _, _ in started.values():
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@pytest.fixture
def serve(processes):
    return processes["serve"][1]


@pytest.fixture(scope="module")
def token(processes):
    wanted = {"username": "manager@ochaq.localhost", "password": PASSWORD}
    return httpx.post(f"{processes['serve'][1]}/api/token/", json=wanted, trust_env=False).json()["access"]


@pytest.fixture
def open_client(serve, token):
    headers = {"Authorization": f"Bearer {token}"}
    return lambda: httpx.Client(base_url=serve, headers=headers, trust_env=False, timeout=20)


@pytest.fixture(autouse=True)
def _nobody_died(processes, open_client):
    yield
    deadline = time.monotonic() + 5
    with open_client() as client:
        while timed(lambda: students(client)).status != 200:
            assert time.monotonic() < deadline, "not back five seconds after the fault"
            time.sleep(0.05)
    for command, (process, url, log) in processes.items():
        wait_ready(url, 200)
        assert process.poll() is None, command
        said = log.read_text()
        assert '"request.failed"' not in said, said[-3000:]
        assert "worker" not in said or "respawn" not in said


def students(client):
    return client.get(STUDENTS)


@pytest.fixture
def web(postgres, processes, open_client):
    return Service(postgres, [url for _, url, _ in processes.values()], students, open_client)


def test_a_frozen_server_costs_each_request_seconds_and_no_process_its_life(web):
    web.bears_a_freeze()


def test_a_write_caught_by_a_frozen_server_is_refused_in_time_and_its_retry_succeeds(web):
    student = {"first_name": "Ada", "last_name": "Aşçı", "email": "ada@school.example", "age": 20}
    key = {"Idempotency-Key": "frozen-1"}
    web.bears_a_freeze_in_a_write(lambda client: client.post(STUDENTS, json=student, headers=key), retry=3)


def test_a_crashed_server_is_503_and_everybody_is_back_when_it_is(web):
    web.bears_a_crash()


def test_a_server_without_free_connections_is_503_and_not_a_crash(web, serve):
    with web.bearing_a_crowd():
        report = httpx.get(f"{serve}/readyz?verbose", trust_env=False).json()
    assert report["checks"]["database"]["ok"] is False, json.dumps(report)


@pytest.fixture
def operator(serve):
    """A browser's session, as the operator."""
    with httpx.Client(base_url=serve, trust_env=False, timeout=20, headers={"Accept": "text/html"}) as browser:
        browser.get("/accounts/login/")
        form = {"username": "operator@ochaq.localhost", "password": PASSWORD}
        signed_in = browser.post(
            "/accounts/login/",
            data={**form, "csrfmiddlewaretoken": browser.cookies["csrftoken"]},
            headers={"Origin": "http://127.0.0.1:8080"},
        )
        assert signed_in.status_code == 302
        yield browser


def test_a_page_says_it_too(postgres, operator):
    assert operator.get("/result/").status_code == 200
    with postgres.frozen():
        page = operator.get("/result/")
    assert page.status_code == 503
    assert page.headers["content-type"].startswith("text/html")
    assert "Retry-After" in page.headers


def test_operators_see_that_there_are_no_free_connections(postgres, serve, operator):
    with postgres.crowded():
        wait_ready(serve, 503)
        page = operator.get("/ops/")
    assert page.status_code == 200
    assert "not ready" in page.text
    assert "database" in page.text
