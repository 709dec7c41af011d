"""The operators' page while PostgreSQL takes no connections: for who was known before, and for nobody else."""

import re
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from datetime import datetime
from types import SimpleNamespace

import httpx
import psycopg
import pytest
import redis
from breakable_postgres import timed
from failing_database import wait_ready
from ochaq_sources import Local
from web_house import PUBLIC, running, signed_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

# One wait for an answer (4.5 s), one look at everything (2 s) and the way there and back.
FIRST_LIMIT = 9.0
LIMIT = 4.5


@contextmanager
def serving(house, folder, **changes):
    """`serve`, and the address where it answers; it has neither ended nor failed when this ends."""
    with running({**house, **changes}, folder, "serve") as found:
        process = found["serve"]
        yield process.url
        assert process.popen.poll() is None
        assert '"request.failed"' not in process.log.read_text()


@pytest.fixture(scope="module")
def serve(house, tmp_path_factory):
    with serving(house, tmp_path_factory.mktemp("serve")) as url:
        yield url


def sign_out(browser):
    token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/").text).group(1)
    answer = browser.post("/accounts/logout/", data={"csrfmiddlewaretoken": token}, headers={"Origin": PUBLIC})
    assert answer.status_code == 302


@pytest.fixture
def people(serve):
    """An operator who has seen his page, a student who has seen hers, and an operator who has seen nothing yet."""
    with ExitStack() as stack:
        found = SimpleNamespace(operator=None, manager=None, student=None, newcomer=None)
        for name in vars(found):
            browser = stack.enter_context(signed_in(serve, "operator" if name == "newcomer" else name))
            setattr(found, name, browser)
        # A page that only asks who is there: known to be signed in, but not let in where operators are.
        assert found.newcomer.get("/").status_code == 200
        for browser, status in ((found.operator, 200), (found.manager, 200), (found.student, 403)):
            assert browser.get("/ops/").status_code == status
        yield found
        deadline = time.monotonic() + 5
        while not is_whole(found.operator.get("/ops/")):
            assert time.monotonic() < deadline, "not back five seconds after the fault"
            time.sleep(0.1)


def is_whole(page):
    return page.status_code == 200 and not is_stand_in(page)


def is_stand_in(page):
    return "data-again=" in page.text


def look(browser, limit=LIMIT):
    """`/ops/` as somebody gets it now, in time."""
    kept = []
    call = timed(lambda: kept.append(browser.get("/ops/")) or kept[-1])
    assert call.seconds < limit
    return kept[-1]


def headline(page):
    assert page.status_code == 200, page.text[:500]
    return re.search(r'<h2 id="away-title">.*?<span>(.*?)</span>', page.text).group(1)


def refused(page):
    assert page.status_code == 503
    assert "Retry-After" in page.headers
    assert not is_stand_in(page)
    assert "web-serve" not in page.text
    return True


def wait_for_stand_in(browser, limit=10):
    """The first page that stands in: until PostgreSQL is really away for this process."""
    deadline = time.monotonic() + limit
    while not is_stand_in(page := look(browser, FIRST_LIMIT)):
        assert time.monotonic() < deadline, page.text[:500]
        time.sleep(0.1)
    return page


@contextmanager
def full(postgres, serve):
    """Every connection is taken, those that web had too."""
    with postgres.crowded():
        deadline = time.monotonic() + 10
        with psycopg.connect(postgres.url, autocommit=True) as administrator:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ochaq_web'"
            left = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ochaq_web'"
            while administrator.execute(left).fetchone()[0]:
                assert time.monotonic() < deadline, "web keeps a connection"
                administrator.execute(cut)
                time.sleep(0.2)
        wait_ready(serve, 503)
        yield


def test_all_connections_are_taken(postgres, serve, people):
    with full(postgres, serve):
        page = wait_for_stand_in(people.operator)
        assert headline(page) == "PostgreSQL takes no connections: every one is taken."
        assert "connection" in re.search(r"Its own words: <code>(.*?)</code>", page.text).group(1)
        # What needs no database is there, and what needs it is said to be missing.
        assert re.search(r'<li class="down">.*?web-serve.*?not ready.*?database: ', page.text)
        servers = r'service-name">(PostgreSQL|RabbitMQ|Redis)</span><span class="service-state">(\w+)'
        states = re.findall(servers, page.text)
        assert states == [("PostgreSQL", "away"), ("RabbitMQ", "answers"), ("Redis", "answers")]
        assert 'id="jobs-title"' not in page.text
        assert "the outboxes" in page.text
        # The frame is an operator's, without what would ask the database again and again.
        assert 'href="/ops/dead-letters/"' in page.text
        assert 'href="/accounts/login/' not in page.text
        assert "data-tray" not in page.text
        assert headline(look(people.manager)).startswith("PostgreSQL takes no connections")
        assert refused(look(people.student))
        assert refused(look(people.newcomer))
        visitor = httpx.get(f"{serve}/ops/", trust_env=False)
        assert (visitor.status_code, visitor.headers["Location"]) == (302, "/accounts/login/?next=/ops/")
        with httpx.Client(base_url=serve, trust_env=False, cookies={"sessionid": "a" * 32}, timeout=20) as forger:
            assert refused(look(forger))
    after = time.monotonic()
    while is_stand_in(page := look(people.operator)):
        assert time.monotonic() < after + 5
        time.sleep(0.1)
    assert page.status_code == 200
    assert 'id="jobs-title"' in page.text


def test_a_page_from_a_connection_that_is_left_says_it_too(postgres, serve, people):
    with postgres.crowded():
        wait_ready(serve, 503)
        page = look(people.operator)
        assert is_whole(page)
        assert '<p class="note error">' in page.text
        assert "PostgreSQL takes no connections: every one is taken." in page.text
    wait_ready(serve, 200)


def test_it_says_since_when_and_keeps_to_that(postgres, people):
    before = time.time()
    postgres.crash()
    try:
        moments = []
        for _ in range(3):
            page = wait_for_stand_in(people.operator)
            moments.append(re.search(r'since <time datetime="([^"]+)"', page.text).group(1))
            time.sleep(0.7)
        assert headline(page) == "PostgreSQL takes no connections: nothing listens at its address."
    finally:
        postgres.start()
    assert len(set(moments)) == 1
    assert before - 1 < datetime.fromisoformat(moments[0]).timestamp() < before + 15


def test_a_frozen_server_does_not_keep_operators_waiting(postgres, people):
    with postgres.frozen():
        page = wait_for_stand_in(people.operator)
        assert headline(page).startswith("PostgreSQL does not answer")
        for _ in range(3):
            assert headline(look(people.operator)).startswith("PostgreSQL does not answer")
        assert refused(look(people.student))


@pytest.fixture
def gone(serve):
    with signed_in(serve, "operator") as browser:
        yield browser


def test_who_signed_out_sees_nothing(postgres, people, gone):
    assert gone.get("/ops/").status_code == 200
    key = gone.cookies["sessionid"]
    sign_out(gone)
    gone.cookies.set("sessionid", key)
    postgres.crash()
    try:
        wait_for_stand_in(people.operator)
        assert refused(look(gone))
    finally:
        postgres.start()


def test_who_lost_the_role_sees_nothing(postgres, serve, people, house):
    """In the database behind web's back it could not be known; the administration tells."""
    code = (
        "import django; django.setup();"
        "from ochaq_web.accounts.models import User; from django.contrib.auth.models import Group;"
        "User.objects.get(email='manager@ochaq.localhost').groups.{}(Group.objects.get(name='manager'))"
    )
    change = lambda verb: subprocess.run(  # noqa: E731
        [sys.executable, "-c", code.format(verb)],
        env={**house, "DJANGO_SETTINGS_MODULE": "ochaq_web.config.settings"},
        check=True,
        timeout=60,
    )
    change("remove")
    try:
        postgres.crash()
        try:
            wait_for_stand_in(people.operator)
            assert refused(look(people.manager))
        finally:
            postgres.start()
    finally:
        wait_ready(serve, 200)
        change("add")


def test_the_page_keeps_to_the_strict_policy(postgres, people):
    normal = people.operator.get("/ops/")
    postgres.crash()
    try:
        page = wait_for_stand_in(people.operator)
    finally:
        postgres.start()
    policy = page.headers["Content-Security-Policy"]
    assert policy == normal.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page.text)
    assert set(re.findall(r"<script[^>]*>", page.text)) <= {
        *re.findall(r'<script (?:type="module" )?src="[^"]+">', page.text),
        '<script id="client" type="application/json">',
    }
    assert "no-store" in page.headers["Cache-Control"]
    assert "Set-Cookie" not in page.headers


@pytest.fixture
def own_redis():
    """A Redis that may be stopped."""
    source = Local()
    yield source.redis()
    source.close()


def test_without_redis_too_nobody_is_known(postgres, house, tmp_path, own_redis):
    with serving(house, tmp_path, OCHAQ_CACHE_URL=own_redis) as serve, signed_in(serve, "operator") as operator:
        assert operator.get("/ops/").status_code == 200
        postgres.crash()
        try:
            wait_for_stand_in(operator)
            with redis.Redis.from_url(own_redis) as server:
                server.shutdown(nosave=True)
            assert refused(look(operator))
        finally:
            postgres.start()


def test_nothing_that_opens_anything_is_kept(people, house):
    key = people.operator.cookies["sessionid"].encode()
    with redis.Redis.from_url(house["OCHAQ_CACHE_URL"]) as store:
        kept = {name: store.get(name) for name in store.scan_iter("*standing*")}
    assert kept
    assert not [name for name, value in kept.items() if key in name or key in (value or b"")]
