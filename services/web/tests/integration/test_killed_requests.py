"""kill -9 in the middle of a creating request: applied once or not at all, and the retry gets the one answer."""

import json
import subprocess
import sys
import time
import uuid

import httpx
import psycopg
import pytest
from free_ports import free_port
from ochaq_shared import failpoints

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PASSWORD = "salt and pepper 42"
# The parent takes two deaths within 5.5 seconds for a crash loop and ends, for the supervisor to start it afresh. So a
# server rests between two deaths, and another one takes its turn.
REST_SECONDS = 6.0
SERVERS = 3
# Until the next answer: granian starts another worker, which imports Django. Twice the limit of the fault matrix,
# because tests share their cores with other tests.
BACK_SECONDS = 6.0

CREATE = {
    "student": (
        "/api/v1/students/",
        {"first_name": "Ada", "last_name": "Aşçı", "email": "{}@school.example", "age": 20},
    ),
    "cookbook_recipe": ("/api/v1/recipes/", {"name": "Soup {}", "servings": 4}),
    "job": ("/api/v1/jobs/", {"kind": "students.generate", "params": {"count": 5}}),
}


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    return tmp_path_factory.mktemp("failpoints") / "points.json"


@pytest.fixture(scope="module")
def house(servers, process_environment, points):
    house = {
        **process_environment,
        "OCHAQ_MODE": "test",
        "OCHAQ_DEMO_PASSWORD": PASSWORD,
        "OCHAQ_PUBLIC_URL": "http://127.0.0.1:8080",
        "OCHAQ_DATABASE_URL": servers.database("web"),
        "OCHAQ_FAILPOINTS_FILE": str(points),
    }
    for command in ("migrate", "seed"):
        subprocess.run([sys.executable, "-m", "ochaq_web", command], env=house, check=True, timeout=90)
    return house


@pytest.fixture(scope="module")
def running(house):
    """Some servers on one database: the client of each, and when it was last disturbed."""
    ports = [free_port() for _ in range(SERVERS)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "ochaq_web", "serve"],
            env={**house, "OCHAQ_BIND_PORT": str(port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for port in ports
    ]
    clients = [httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) for port in ports]
    wanted = {"username": "manager@ochaq.localhost", "password": PASSWORD}
    for client in clients:
        ready(client)
        client.headers["Authorization"] = f"Bearer {client.post('/api/token/', json=wanted).json()['access']}"
    yield dict.fromkeys(clients, 0.0)
    for client, process in zip(clients, processes, strict=True):
        client.close()
        process.terminate()
    for process in processes:
        process.wait(30)


@pytest.fixture
def client(running):
    """A manager's client of one running server; what kills its worker leaves its parent to start another."""
    rested = min(running, key=running.get)
    time.sleep(max(0.0, running[rested] + REST_SECONDS - time.monotonic()))
    yield rested
    running[rested] = time.monotonic()


def ready(client, limit=20):
    deadline = time.monotonic() + limit
    while True:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def state(house):
    """How many rows a table has, how many facts were told, and how many keys are kept."""

    def count(table):
        query = f"SELECT (SELECT count(*) FROM {table}), (SELECT count(*) FROM outbox), count(*) FROM idempotency"
        with psycopg.connect(house["OCHAQ_DATABASE_URL"]) as connection:
            return connection.execute(query).fetchone()

    return count


def send(client, table, key):
    path, body = CREATE[table]
    return client.post(path, json=json.loads(json.dumps(body).replace("{}", key)), headers={"Idempotency-Key": key})


def retry(client, table, key):
    """As a client does it: again and again with the same key. Returns the answer and how long it took to come."""
    began = time.monotonic()
    while True:
        try:
            answer = send(client, table, key)
            # 409 while the first request may still run, 503 while the database notices that its client is gone.
            assert answer.status_code < 500 or answer.status_code == 503, answer.text
            if answer.is_success:
                return answer, time.monotonic() - began
        except httpx.TransportError:
            pass
        assert time.monotonic() < began + 15, "the key of a killed request is still running"
        time.sleep(0.05)


def killed_at(point, points, client, table, key):
    """Send a request whose process dies at `point`."""
    failpoints.write(points, {point: {"do": "kill", "times": 1}})
    with pytest.raises(httpx.TransportError):
        send(client, table, key)
    assert failpoints.fired(points, point) == 1


@pytest.mark.parametrize("table", CREATE)
def test_killed_after_the_commit_the_retry_gets_the_first_answer(client, points, state, table):
    before, key = state(table), uuid.uuid4().hex
    killed_at("web.answered", points, client, table, key)
    after = state(table)
    assert [now - then for then, now in zip(before, after, strict=True)][::2] == [1, 1]
    answer, seconds = retry(client, table, key)
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert state(table) == after
    again = send(client, table, key)
    assert (again.status_code, again.content) == (answer.status_code, answer.content)
    for name in ("Content-Type", "Location", "ETag"):
        assert again.headers.get(name) == answer.headers.get(name)
    assert answer.headers["Location"]
    assert seconds < BACK_SECONDS


@pytest.mark.parametrize("table", CREATE)
def test_killed_before_the_commit_nothing_is_applied_and_the_retry_succeeds(client, points, state, table):
    before, key = state(table), uuid.uuid4().hex
    killed_at("outbox.inserted", points, client, table, key)
    assert state(table) == before
    answer, seconds = retry(client, table, key)
    assert "Idempotency-Replayed" not in answer.headers
    assert state(table)[0] == before[0] + 1
    assert seconds < BACK_SECONDS
