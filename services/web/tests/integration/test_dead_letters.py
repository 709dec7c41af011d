"""The operators' page of dead letters: looked at with bounds, acted on by the consume process, and written down."""

import time

import pytest
from django.utils import timezone
from ochaq_shared.bus import dead_letters, topology
from ochaq_shared.bus.connection import close, connect
from ochaq_shared.bus.delivery import Delivery, Outcome
from ochaq_shared.bus.inbox import InboxProcessor
from ochaq_shared.bus.parking import parked
from ochaq_shared.bus.publisher import Message, Publisher
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.ops import ActionTaken
from ochaq_shared.events.search import IndexRebuilt
from ochaq_sources import local
from ochaq_web.config.environment import environment
from ochaq_web.core import events
from ochaq_web.core.work import DjangoWork
from ochaq_web.ops import actions, broker, letters, probes
from ochaq_web.ops.models import ActionStatus, BrokerLook, OpsAction
from server_addresses import Servers

pytestmark = pytest.mark.django_db
PAGE = "/ops/dead-letters/"


@pytest.fixture(scope="module")
def house(servers):
    """A vhost of its own with the topology declared."""
    url = servers.amqp_url()
    opened = connect(url)
    topology.declare(opened.channel())
    close(opened)
    return url


@pytest.fixture
def bus(house, monkeypatch):
    changed = environment().model_copy(update={"amqp_url": house})
    for module in (actions, broker, letters, probes):
        monkeypatch.setattr(module, "environment", lambda: changed)
    yield house
    dead_letters.drop(house)
    opened = connect(house)
    opened.channel().queue_purge(topology.WEB_EVENTS.name)
    close(opened)


def rebuilt(index="students"):
    return CloudEvent.of(IndexRebuilt(index=index, documents=1, seconds=1, job_id=None), subject=index, version=1)


def die(url, *dead, error="ValueError: poison", queue=topology.WEB_EVENTS):
    publisher = Publisher(url)
    for event in dead:
        delivery = Delivery(1, event, event.encode(), {}, event.type)
        assert publisher.publish([parked(queue, delivery, Outcome.failed(error, 5, 5))]) == [None]
    publisher.close()
    return [f"{queue.name}/{event.id}" for event in dead]


def waiting(url, queue=topology.WEB_EVENTS.name):
    opened = connect(url)
    try:
        return topology.depth(opened.channel(), queue)[0]
    finally:
        close(opened)


def told():
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT version, body->'data'->>'status' FROM outbox WHERE type LIKE 'ochaq.ops%' ORDER BY id")
        return cursor.fetchall()


@pytest.mark.parametrize("role", ["student", "customer", "instructor"])
def test_others_see_and_do_nothing_here(browser, role):
    assert browser(role).get(PAGE).status_code == 403
    assert browser(role).post(PAGE, {"act": "dlq.drop", "everything": "1", "reason": "because"}).status_code == 403
    assert OpsAction.objects.count() == 0


def test_letters_are_listed_grouped_and_shown_whole(bus, browser):
    one, other = rebuilt(), rebuilt("recipes")
    keys = die(bus, one, other)
    page = browser("operator").get(PAGE)
    looked = page.context["looked"]
    assert [letter.key for letter in looked.letters] == keys
    assert [(group.queue, group.letters) for group in looked.groups] == [("q.web.events", 2)]
    shown = browser("manager").get(PAGE, {"letter": keys[0]}).content.decode()
    assert "&quot;index&quot;: &quot;students&quot;" in shown
    assert "ValueError: poison" in shown
    assert browser("operator").get(PAGE, {"queue": "q.files.events"}).context["looked"].letters == []
    assert waiting(bus, topology.DEAD_QUEUE) == 2


def test_a_body_that_is_no_text_is_shown_all_the_same(bus, browser):
    publisher = Publisher(bus)
    publisher.publish([Message("", topology.DEAD_EXCHANGE, "q", b"\x00\xff<script>" + b"x" * 200_000)])
    publisher.close()
    (letter,) = browser("operator").get(PAGE).context["looked"].letters
    shown = browser("operator").get(PAGE, {"letter": letter.key})
    assert shown.status_code == 200
    assert shown.context["one"]["cut"]
    assert b"<script>xxx" not in shown.content


def test_a_ticked_letter_goes_back_once_the_consume_process_has_its_turn(bus, browser):
    keys = die(bus, rebuilt(), rebuilt("recipes"))
    asked = {"act": "dlq.replay", "letter": keys[:1], "reason": "The index is back."}
    answer = browser("operator").post(PAGE, asked)
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    assert waiting(bus, topology.DEAD_QUEUE) == 2, "the page itself touches nothing"
    row = OpsAction.objects.get()
    assert (row.status, row.targets, row.reason, row.via) == ("requested", keys[:1], "The index is back.", "page")
    actions.actions_perform()
    row.refresh_from_db()
    assert (row.status, row.outcome) == ("done", "1 sent back")
    assert row.finished_at is not None
    assert waiting(bus) == 1
    assert [letter.key for letter in dead_letters.peek(bus)] == keys[1:]
    assert told() == [(1, "requested"), (2, "done")]
    page = browser("operator").get(PAGE).content.decode()
    assert "The index is back." in page
    assert "1 sent back" in page


def test_all_of_a_filter_are_dropped(bus, browser):
    die(bus, rebuilt(), rebuilt())
    kept = die(bus, rebuilt(), queue=topology.FILES_EVENTS)
    asked = {"act": "dlq.drop", "everything": "1", "queue": "q.web.events", "reason": "Old news."}
    assert browser("manager").post(PAGE, asked).headers["Location"] == f"{PAGE}?queue=q.web.events"
    actions.actions_perform()
    assert OpsAction.objects.get().outcome == "2 dropped"
    assert [letter.key for letter in dead_letters.peek(bus)] == kept
    assert waiting(bus) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": ""},
        {"reason": "   "},
        {"reason": "x" * 501},
        {"letter": []},
        {"act": "dlq.eat"},
        {"act": ""},
    ],
)
def test_a_request_that_is_not_whole_is_answered_with_the_form(bus, browser, wrong):
    keys = die(bus, rebuilt())
    page = browser("operator").post(PAGE, {"act": "dlq.drop", "letter": keys, "reason": "because", **wrong})
    assert page.status_code == 422
    assert page.context["form"].errors
    assert OpsAction.objects.count() == 0


def test_without_the_broker_the_page_says_so_and_requests_wait(browser, monkeypatch):
    page = browser("operator").get(PAGE)
    assert page.status_code == 200
    assert page.context["looked"].error
    asked = {"act": "dlq.drop", "letter": ["q.web.events/1"], "reason": "because"}
    assert browser("operator").post(PAGE, asked).status_code == 303
    actions.actions_perform()
    row = OpsAction.objects.get()
    assert row.status == ActionStatus.REQUESTED
    monkeypatch.setattr(actions, "PATIENCE_SECONDS", 0)
    actions.actions_perform()
    row.refresh_from_db()
    assert row.status == ActionStatus.FAILED
    assert "RabbitMQ" in row.outcome


def test_a_letter_that_is_gone_is_told_after_a_short_search(bus, monkeypatch):
    keys = die(bus, rebuilt())
    row = actions.action_request(action="dlq.drop", actor="o", targets=[*keys, "q.web.events/gone"], reason="because")
    actions.actions_perform()
    row.refresh_from_db()
    assert (row.status, row.settled) == ("requested", keys), "somebody may be looking at it just now"
    monkeypatch.setattr(actions, "SEARCH_SECONDS", 0)
    actions.actions_perform()
    row.refresh_from_db()
    assert (row.status, row.outcome) == ("done", "1 dropped, 1 no longer there")


def test_a_performer_that_died_before_writing_it_down_is_followed_by_one_that_does(bus, monkeypatch):
    keys = die(bus, rebuilt())
    row = actions.action_request(action="dlq.replay", actor="o", targets=keys, reason="because")
    dead_letters.replay(bus, dead_letters.Selection(keys=frozenset(keys)))
    monkeypatch.setattr(actions, "SEARCH_SECONDS", 0)
    actions.actions_perform()
    row.refresh_from_db()
    assert (row.status, row.outcome) == ("done", "0 sent back, 1 no longer there")
    assert waiting(bus) == 1, "it went back once"


def test_a_letter_whose_queue_is_unknown_fails_at_once(bus):
    publisher = Publisher(bus)
    publisher.publish([Message("m", topology.DEAD_EXCHANGE, "q", b"{}", {"ochaq-queue": "q.nobody"})])
    publisher.close()
    row = actions.action_request(action="dlq.replay", actor="o", targets=["q.nobody/m"], reason="because")
    actions.actions_perform()
    row.refresh_from_db()
    assert row.status == "failed"
    assert "unroutable" in row.outcome
    assert waiting(bus, topology.DEAD_QUEUE) == 1


def action_taken(identity, version, status):
    fact = ActionTaken(
        id=identity,
        action="dlq.drop",
        actor="root",
        via="cli",
        reason="Old.",
        targets=["q/1"],
        status=status,
        outcome="" if status == "requested" else "1 dropped",
    )
    event = CloudEvent.of(fact, subject=identity, version=version)
    return Delivery(1, event, event.encode(), {}, event.type)


@pytest.mark.django_db(transaction=True)
def test_what_was_done_by_command_is_remembered_whatever_order_it_comes_in():
    processor = InboxProcessor("web", DjangoWork(), events.handlers())
    asked = action_taken("0192f0c4-8c11-7a20-9b1e-2f3a4b5c6d7e", 1, "requested")
    done = action_taken("0192f0c4-8c11-7a20-9b1e-2f3a4b5c6d7e", 2, "done")
    assert not processor.process([done])[0].acked, "its predecessor is awaited"
    assert [outcome.acked for outcome in processor.process([asked, asked, done, done, asked])] == [True] * 5
    row = OpsAction.objects.get()
    assert (row.status, row.outcome, row.via, row.actor) == ("done", "1 dropped", "cli", "root")
    actions.actions_perform()  # nothing that was done elsewhere is done again
    assert OpsAction.objects.get().status == "done"


@pytest.mark.django_db(transaction=True)
def test_the_end_of_a_deed_is_kept_although_its_beginning_was_lost():
    processor = InboxProcessor("web", DjangoWork(), events.handlers())
    done = action_taken("0192f0c4-8c11-7a20-9b1e-2f3a4b5c6d7f", 2, "done")
    assert [processor.process([done])[0].acked for _ in range(5)] == [False] * 4 + [True]
    asked = action_taken("0192f0c4-8c11-7a20-9b1e-2f3a4b5c6d7f", 1, "requested")
    assert processor.process([asked])[0].acked
    assert OpsAction.objects.get().status == "done"


def test_the_overview_warns_of_letters_and_tells_since_when(bus, browser):
    die(bus, rebuilt())
    broker.broker_look()
    page = browser("operator").get("/ops/")
    (alarm,) = page.context["alarms"]
    assert alarm.url == PAGE
    assert page.context["broker"]["publishing"] == "ok"
    assert 0 <= page.context["broker"]["oldest_dead_seconds"] < 30
    assert f'href="{PAGE}"' in page.content.decode()


@pytest.mark.parametrize(("publishing", "level"), [("blocked", "error"), ("ok", None)])
def test_the_overview_tells_of_a_broker_that_takes_no_messages(bus, browser, publishing, level):
    BrokerLook.objects.create(at=timezone.now(), publishing=publishing)
    alarms = browser("operator").get("/ops/").context["alarms"]
    assert [alarm.level for alarm in alarms] == ([level] if level else [])


def test_the_overview_does_not_believe_an_old_look(bus, browser):
    BrokerLook.objects.create(at=timezone.now() - timezone.timedelta(seconds=60), publishing="ok")
    (alarm,) = browser("operator").get("/ops/").context["alarms"]
    assert alarm.level == "warning"
    assert "web-consume" in alarm.text


def test_the_pages_answer_quickly(bus, browser):
    die(bus, *[rebuilt() for _ in range(50)])
    client = browser("operator")
    for address in ("/ops/", PAGE):
        client.get(address)
        began = time.perf_counter()
        assert client.get(address).status_code == 200
        assert time.perf_counter() - began < 1, "a bound against hanging, not a benchmark"


@pytest.mark.slow
def test_an_alarm_of_a_real_broker_stands_on_the_page_with_the_next_look(browser, monkeypatch):
    source = local()
    try:
        changed = environment().model_copy(update={"amqp_url": Servers(source).amqp_url()})
        for module in (broker, probes):
            monkeypatch.setattr(module, "environment", lambda: changed)
        broker.broker_look()
        assert BrokerLook.objects.get().publishing == "ok"
        source.rabbitmqctl("set_disk_free_limit", "9000GB")
        until = time.monotonic() + 15
        while BrokerLook.objects.get().publishing != "blocked":
            assert time.monotonic() < until
            time.sleep(0.2)
            broker.broker_look()
        page = browser("operator").get("/ops/")
        assert [alarm.level for alarm in page.context["alarms"]] == ["error"]
        assert "RabbitMQ takes no messages" in page.content.decode()
        source.rabbitmqctl("set_disk_free_limit", "1MB")
        while BrokerLook.objects.get().publishing != "ok":
            assert time.monotonic() < until + 15
            time.sleep(0.2)
            broker.broker_look()
        assert browser("operator").get("/ops/").context["alarms"] == []
    finally:
        source.close()
