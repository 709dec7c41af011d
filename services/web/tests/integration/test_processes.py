"""The real commands as real processes."""

import signal
import subprocess
import sys
import time

import httpx
import psycopg
import pytest
from free_ports import free_port

pytestmark = pytest.mark.slow


def eventually(check, seconds=30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if check():
                return True
        except httpx.HTTPError:
            time.sleep(0.1)
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def house(servers, process_environment):
    """An environment of its own: an empty database, a vhost, a demo password."""
    return {
        **process_environment,
        "OCHAQ_MODE": "demo",
        "OCHAQ_DEMO_PASSWORD": "salt and pepper 42",
        "OCHAQ_PUBLIC_URL": "http://127.0.0.1:8080",
        "OCHAQ_DATABASE_URL": servers.database("web"),
        "OCHAQ_AMQP_URL": servers.amqp_url(),
    }


def run(house, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "ochaq_web", *arguments],
        env=house,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.fixture
def start(house):
    started = []

    def begin(command):
        port = free_port()
        environment = {**house, "OCHAQ_BIND_PORT": str(port)}
        process = subprocess.Popen(
            [sys.executable, "-m", "ochaq_web", command],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=5)
        started.append((process, client))
        return process, client

    yield begin
    for process, client in started:
        client.close()
        if process.poll() is None:
            process.kill()
        process.wait()


def test_migrating_two_at_once_and_again_makes_one_schema(house):
    both = [
        subprocess.Popen([sys.executable, "-m", "ochaq_web", "migrate"], env=house, stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [process.wait(90) for process in both] == [0, 0]
    assert run(house, "migrate").returncode == 0
    with psycopg.connect(house["OCHAQ_DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM auth_group").fetchone() == (5,)
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname ~ '^outbox_[0-9]+$'").fetchone()[0] >= 2


def test_seeding_twice_changes_nothing(house):
    assert run(house, "seed").returncode == 0

    def counts():
        with psycopg.connect(house["OCHAQ_DATABASE_URL"]) as connection:
            tables = ("accounts_user", "cookbook_recipe", "student", "outbox")
            return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]

    first = counts()
    assert run(house, "seed").returncode == 0
    assert counts() == first
    assert first[0] == 5
    assert first[1] >= 60
    assert first[2] >= 24


def test_the_server_answers_and_ends_when_it_is_asked_to(start):
    process, client = start("serve")
    assert eventually(lambda: client.get("/readyz").status_code == 200)
    assert client.get("/internal/v1/identity", headers={"X-Ochaq-Audience": "files"}).status_code == 204
    wanted = {"username": "manager@ochaq.localhost", "password": "salt and pepper 42"}
    assert client.post("/api/token/", json=wanted).status_code == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_no_worker_outlives_a_server_that_was_killed(start):
    process, client = start("serve")
    assert eventually(lambda: client.get("/livez").status_code == 200)
    process.kill()
    process.wait()
    time.sleep(0.5)
    with pytest.raises(httpx.ConnectError):
        client.get("/livez")


def test_relay_and_consume_do_their_work_and_end_when_they_are_asked_to(start, house):
    relay, consume = start("relay"), start("consume")
    for _, client in (relay, consume):
        assert eventually(lambda client=client: client.get("/readyz").status_code == 200)

    def pending():
        with psycopg.connect(house["OCHAQ_DATABASE_URL"]) as connection:
            return connection.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchone()[0]

    assert eventually(lambda: pending() == 0)
    for process, _ in (relay, consume):
        process.send_signal(signal.SIGTERM)
    assert [process.wait(20) for process, _ in (relay, consume)] == [0, 0]
