"""Celery as the engine: how it is set up, and what makes it safe to kill.

PostgreSQL decides who runs a job (the claim in web), so Celery acknowledges early: a message is only an invitation, and
a lost one is sent again by web's reaper. That is why no broker time limit, redelivery storm or result backend exists.
"""

from __future__ import annotations

import gc
import logging
from pathlib import Path
from typing import Any

import structlog
from billiard.util import get_logger as billiard_logger
from celery import Celery, bootsteps, signals
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu import Exchange, Queue
from ochaq_shared.bus import topology
from ochaq_shared.health import Health
from ochaq_shared.outbox import COMMANDS_EXCHANGE

from ochaq_worker import tasks
from ochaq_worker.lanes import LONG, long_lane, most_long
from ochaq_worker.leases import Watch, slips_directory
from ochaq_worker.leaving import Departure
from ochaq_worker.limits import recycled_at
from ochaq_worker.names import voices
from ochaq_worker.process import close_process, open_process
from ochaq_worker.settings import WorkerSettings
from ochaq_worker.web import open_web

log = structlog.get_logger(__name__)

# Where a command names no limits of its own kind.
SOFT_LIMIT_SECONDS = 4 * 3600
HARD_LIMIT_SECONDS = SOFT_LIMIT_SECONDS + 600
JOBS_PER_PROCESS = 10_000
AWAKE_SECONDS = 0.25
# Between two tries to reach a RabbitMQ that is away: the first, how much longer each next one, and the longest.
RECONNECT_SECONDS = (0.5, 0.5, 2.0)


def make_app(settings: WorkerSettings) -> Celery:
    """The Celery application with its one task."""
    app = Celery("ochaq_worker", broker=settings.amqp_url, set_as_current=True)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_queues=[_queue(name) for name in ("jobs.short", LONG)],
        task_default_queue="jobs.short",
        task_default_exchange=COMMANDS_EXCHANGE,
        task_default_exchange_type="direct",
        task_default_routing_key="jobs.short",
        task_default_delivery_mode="persistent",
        task_create_missing_queues=False,
        task_soft_time_limit=SOFT_LIMIT_SECONDS,
        task_time_limit=HARD_LIMIT_SECONDS,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=4,
        broker_heartbeat=10,
        broker_pool_limit=1,
        broker_transport_options={"confirm_publish": True},
        worker_detect_quorum_queues=True,
        worker_prefetch_multiplier=1,
        worker_concurrency=settings.worker_concurrency,
        worker_max_tasks_per_child=JOBS_PER_PROCESS,
        worker_max_memory_per_child=recycled_at(settings.worker_memory_mb),
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    tasks.register(app, settings.mode)
    return app


def run_worker(settings: WorkerSettings, health: Health) -> None:
    """Work until told to stop."""
    voices()  # before the fork: the pool processes share these tables
    app = make_app(settings)
    app.steps["consumer"].add(_house_step(health))
    if LONG in settings.queues:
        limit = most_long(settings.worker_concurrency, settings.queues)
        app.steps["consumer"].add(long_lane(app.amqp.queues[LONG], limit))
    web, slips = open_web(settings), _slips(settings)
    watch = Watch(slips, web.release) if slips else None
    departure = Departure(web, watch, settings.worker_leave_seconds)
    signals.setup_logging.connect(_keep_our_logging, weak=False)
    signals.worker_process_init.connect(lambda **_: open_process(settings, slips), weak=False)
    signals.worker_process_shutdown.connect(close_process, weak=False)
    signals.worker_shutting_down.connect(departure.begin, weak=False)
    worker = app.Worker(
        pool="prefork",
        queues=settings.queues,
        hostname=f"work-{settings.bind_port}@%h",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        consumer_cls=PromptConsumer,
        quiet=True,  # no banner: a log has one JSON object per line
        loglevel=settings.log_level.upper(),
    )
    # The collector of a pool process would write to every object that it shares with this one, and so copy them all.
    gc.collect()
    gc.freeze()
    if watch:
        watch.start()
    worker.start()
    raise SystemExit(worker.exitcode)


class PromptConsumer(Consumer):
    """Celery's consumer, but back soon after RabbitMQ is: Celery's own waits up to 30 s, and has no setting for it."""

    def ensure_connected(self, conn: Any) -> Any:
        """Tries for ever, until somebody asks the worker to leave."""
        first, step, longest = RECONNECT_SECONDS
        conn.ensure_connection(
            _broker_away, interval_start=first, interval_step=step, interval_max=longest, callback=maybe_shutdown
        )
        return conn


def _broker_away(error: Exception, again: float) -> None:
    log.warning("broker_away", error=f"{type(error).__name__}: {error}", again_seconds=again)


def _slips(settings: WorkerSettings) -> Path | None:
    try:
        return slips_directory(settings.worker_slips_dir, settings.web_url, settings.amqp_url)
    except OSError as error:
        log.warning("no_slips", error=str(error))
        return None


def _queue(name: str) -> Queue:
    """The queue as `ochaq_shared.bus.topology` declares it; declaring it again the same way is harmless."""
    found = {queue.name: queue for queue in (topology.JOBS_SHORT, topology.JOBS_LONG)}[name]
    exchange = Exchange(found.exchange, "direct", durable=True, no_declare=True)
    return Queue(
        name, exchange, routing_key=name, durable=True, no_declare=True, queue_arguments=topology.arguments(found)
    )


def _house_step(health: Health) -> type[bootsteps.StartStopStep]:
    """A step of Celery's consumer: declares the topology on every new connection and reports what the loop does."""

    class House(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.connection:Connection",)

        def __init__(self, consumer: Any, **options: Any) -> None:
            super().__init__(consumer, **options)
            health.check("broker", lambda: _require_connected(consumer))

        def start(self, consumer: Any) -> None:
            topology.declare(consumer.connection.default_channel)
            # The loop looks for a stop only when something wakes it, and may otherwise sleep for seconds.
            consumer.hub.call_repeatedly(AWAKE_SECONDS, _nothing)
            log.info("worker_connected")

    return House


def _nothing() -> None:
    pass


def _require_connected(consumer: Any) -> None:
    connection = consumer.connection
    if connection is None or not connection.connected or consumer.task_consumer is None:
        raise ConnectionError("no connection to RabbitMQ")


def _keep_our_logging(**_: Any) -> None:
    """Connecting to this signal tells Celery to leave logging as `telemetry.configure` made it."""
    # The pool's own logger passes nothing on, so that Python would print its warnings past all of ours.
    pool_log = billiard_logger()
    pool_log.propagate = True
    pool_log.setLevel(logging.WARNING)
