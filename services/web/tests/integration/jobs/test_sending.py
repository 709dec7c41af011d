"""Commands that were lost are sent again, and only those: a backlog is no loss, a broker that is away says nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import connection
from jobs_by_hand import aged, commands, commands_published, fresh
from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import close, connect
from ochaq_web.jobs import broker, services
from ochaq_web.jobs.reaper import job_lease_reap

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def vhost(servers):
    return servers.amqp_url()


@pytest.fixture
def channel(vhost, monkeypatch):
    """A broker of our own, with every queue declared and nothing in it."""
    monkeypatch.setattr(broker, "environment", lambda: SimpleNamespace(amqp_url=vhost))
    link = connect(vhost)
    found = link.channel()
    topology.declare(found)
    for name in topology.names():
        found.queue_purge(name)
    yield found
    close(link)


def backlog(channel, queue="jobs.short", count=1):
    import amqp

    for _ in range(count):
        channel.basic_publish_confirm(amqp.Message("{}"), exchange="ochaq.commands", routing_key=queue)


def test_a_command_lost_on_an_empty_queue_is_sent_again_within_fifteen_seconds(channel, enqueue):
    job = enqueue()
    commands_published()
    aged(job, 9)
    assert job_lease_reap()["dispatched"] == 0
    aged(job, 2)
    assert job_lease_reap()["dispatched"] == 1
    assert commands() == [str(job.id)] * 2 and fresh(job).dispatches == 2
    assert job_lease_reap()["dispatched"] == 0


def test_what_waits_in_a_backlog_is_not_sent_again_however_long_it_takes(channel, enqueue):
    jobs = [enqueue() for _ in range(20)]
    commands_published()
    backlog(channel)
    for job in jobs:
        aged(job, 1800)
    assert job_lease_reap()["dispatched"] == 0


def test_what_the_relay_still_holds_is_not_sent_again(channel, enqueue):
    older, job = enqueue(), enqueue()
    commands_published()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE outbox SET published_at = NULL, created_at = now() - interval '60 s'")
    aged(job, 61)
    aged(older, 70)
    assert job_lease_reap()["dispatched"] == 1 and commands() == [str(older.id), str(job.id), str(older.id)]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE outbox SET next_at = now()")
    assert job_lease_reap()["dispatched"] == 1, "a parked message holds nobody else up"


def test_a_command_that_a_later_one_of_its_queue_overtook_is_lost_despite_the_backlog(channel, enqueue):
    lost, later, other = enqueue(), enqueue(), enqueue("test.steps", {})
    commands_published()
    backlog(channel)
    backlog(channel, "jobs.long")
    aged(lost, 600)
    aged(other, 600)
    services.job_claim(job_id=later.id, worker="host:1")
    assert job_lease_reap()["dispatched"] == 1
    assert commands().count(str(lost.id)) == 2 and commands().count(str(other.id)) == 1


def test_nothing_is_sent_again_while_the_broker_does_not_answer(enqueue):
    job = enqueue()
    commands_published()
    aged(job, 7200)
    assert job_lease_reap()["dispatched"] == 0


def test_the_broker_is_not_asked_when_nothing_is_late(enqueue, monkeypatch):
    enqueue()
    commands_published()
    monkeypatch.setattr(broker, "connect", lambda *_, **__: pytest.fail("asked"))
    assert job_lease_reap()["dispatched"] == 0


def test_a_job_that_waits_for_its_turn_is_not_lost(channel, enqueue):
    first, second = enqueue("students.purge"), enqueue("students.purge")
    services.job_claim(job_id=first.id, worker="host:1")
    commands_published()
    aged(second, 600)
    assert job_lease_reap()["dispatched"] == 0


def test_after_a_lost_lease_the_second_command_follows_soon(channel, running):
    job = running()
    aged(job, 30)
    assert job_lease_reap()["requeued"] == 1
    commands_published()
    aged(job, 4)
    assert job_lease_reap()["dispatched"] == 1 and commands() == [str(job.id)] * 3
