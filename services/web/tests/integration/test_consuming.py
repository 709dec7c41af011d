"""Events in Django's transactions: once each, and a failing one leaves its neighbours alone."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from ochaq_shared.bus.delivery import Delivery
from ochaq_shared.bus.inbox import InboxProcessor
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.search import IndexRebuilt
from ochaq_web.core import events
from ochaq_web.core.work import DjangoWork
from ochaq_web.ops.models import IndexState

pytestmark = pytest.mark.django_db(transaction=True)


def delivery(index, documents=1):
    event = CloudEvent.of(
        IndexRebuilt(index=index, documents=documents, seconds=1, job_id=None), subject=index, version=1
    )
    return Delivery(1, event, event.encode(), {}, event.type)


def test_the_registered_handlers_write_what_they_were_told_once():
    processor = InboxProcessor("web", DjangoWork(), events.handlers())
    one = delivery("students", 7)
    assert [outcome.acked for outcome in processor.process([one, one])] == [True, True]
    assert processor.process([one])[0].acked
    assert IndexState.objects.get(index="students").documents == 7


def test_a_failing_event_is_rolled_back_alone():
    def handle(event, fact):
        Group.objects.create(name=f"index {fact.index}")
        if fact.index == "bad":
            raise ZeroDivisionError

    processor = InboxProcessor("web", DjangoWork(), {IndexRebuilt: handle})
    outcomes = processor.process([delivery("good"), delivery("bad"), delivery("better")])
    assert [outcome.acked for outcome in outcomes] == [True, False, True]
    assert set(Group.objects.filter(name__startswith="index").values_list("name", flat=True)) == {
        "index good",
        "index better",
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM inbox WHERE done_at IS NOT NULL")
        assert cursor.fetchone() == (2,)


def test_a_lost_connection_is_replaced_for_the_next_batch():
    processor = InboxProcessor("web", DjangoWork(), events.handlers())
    processor.process([delivery("students")])
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ours = cursor.fetchone()[0]
    import psycopg
    from ochaq_web.config.environment import environment

    with psycopg.connect(environment().database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (ours,))
    assert processor.process([delivery("students")])[0].acked
