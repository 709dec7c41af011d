"""A PostgreSQL that crashes, stands still or is full: quick 503s meanwhile, and no process has to be started again."""

import json
import time

import httpx
import pytest
from breakable_postgres import timed
from failing_database import Service, wait_ready
from web_house import PASSWORD, running, signed_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

STUDENTS = "/api/v1/students/"


@pytest.fixture(scope="module")
def processes(house, tmp_path_factory):
    """`serve` and `consume`: the same ones for all tests, as nobody restarts them."""
    with running(house, tmp_path_factory.mktemp("logs"), "serve", "consume") as found:
        yield found


@pytest.fixture
def serve(processes):
    return processes["serve"].url


@pytest.fixture(scope="module")
def token(processes):
    wanted = {"username": "manager@ochaq.localhost", "password": PASSWORD}
    return httpx.post(f"{processes['serve'].url}/api/token/", json=wanted, trust_env=False).json()["access"]


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
    for command, process in processes.items():
        wait_ready(process.url, 200)
        assert process.popen.poll() is None, command
        said = process.log.read_text()
        assert '"request.failed"' not in said, said[-3000:]
        assert "worker" not in said or "respawn" not in said


def students(client):
    return client.get(STUDENTS)


@pytest.fixture
def web(postgres, processes, open_client):
    return Service(postgres, [process.url for process in processes.values()], students, open_client)


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
    with signed_in(serve, "operator") as browser:
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
