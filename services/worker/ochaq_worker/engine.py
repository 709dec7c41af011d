"""Celery as the engine: how it is set up, and what makes it safe to kill.

PostgreSQL decides who runs a job (the claim in web), so Celery acknowledges early: a message is only an invitation, and
a lost one is sent again by web's reaper. That is why no broker time limit, redelivery storm or result backend exists.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery import Celery, bootsteps, signals
from celery.beat import Scheduler
from celery.schedules import crontab
from kombu import Exchange, Queue
from ochaq_shared.bus import topology
from ochaq_shared.health import Health
from ochaq_shared.outbox import COMMANDS_EXCHANGE

from ochaq_worker import tasks
from ochaq_worker.names import voices
from ochaq_worker.process import open_process
from ochaq_worker.settings import WorkerSettings

log = structlog.get_logger(__name__)

SOFT_LIMIT_SECONDS = 4 * 3600
HARD_LIMIT_SECONDS = SOFT_LIMIT_SECONDS + 600
LEAVE_SECONDS = 5.0
BEAT_LOOP_SECONDS = 5


def make_app(settings: WorkerSettings) -> Celery:
    """The Celery application with its two tasks."""
    app = Celery("ochaq_worker", broker=settings.amqp_url, set_as_current=True)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_queues=[_queue(name) for name in ("jobs.short", "jobs.long")],
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
        broker_connection_max_retries=None,
        broker_connection_timeout=4,
        broker_heartbeat=10,
        broker_pool_limit=1,
        broker_transport_options={"confirm_publish": True},
        worker_detect_quorum_queues=True,
        worker_prefetch_multiplier=1,
        worker_concurrency=settings.worker_concurrency,
        worker_max_tasks_per_child=500,
        worker_max_memory_per_child=300_000,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_soft_shutdown_timeout=LEAVE_SECONDS,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        beat_max_loop_interval=BEAT_LOOP_SECONDS,
        beat_schedule={"sweep": {"task": tasks.SWEEP, "schedule": crontab(minute="7")}},
    )
    tasks.register(app)
    return app


def run_worker(settings: WorkerSettings, health: Health) -> None:
    """Work until told to stop."""
    voices()  # before the fork: the pool processes share these tables
    app = make_app(settings)
    app.steps["consumer"].add(_consumer_step(health))
    signals.setup_logging.connect(_keep_our_logging, weak=False)
    signals.worker_process_init.connect(lambda **_: open_process(settings), weak=False)
    worker = app.Worker(
        pool="prefork",
        queues=settings.queues,
        hostname=f"work-{settings.bind_port}@%h",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,  # no banner: a log has one JSON object per line
        loglevel=settings.log_level.upper(),
    )
    worker.start()
    raise SystemExit(worker.exitcode)


def run_beat(settings: WorkerSettings, health: Health) -> None:
    """Send what is due, until told to stop."""
    app = make_app(settings)
    signals.setup_logging.connect(_keep_our_logging, weak=False)
    health.check("broker", lambda: _reach_broker(app))
    scheduler: Any = _scheduler(health)
    beat = app.Beat(scheduler_cls=scheduler, quiet=True, loglevel=settings.log_level.upper(), socket_timeout=10)
    beat.run()


def _queue(name: str) -> Queue:
    """The queue as `ochaq_shared.bus.topology` declares it; declaring it again the same way is harmless."""
    found = {queue.name: queue for queue in (topology.JOBS_SHORT, topology.JOBS_LONG)}[name]
    exchange = Exchange(found.exchange, "direct", durable=True, no_declare=True)
    return Queue(
        name, exchange, routing_key=name, durable=True, no_declare=True, queue_arguments=topology.arguments(found)
    )


def _consumer_step(health: Health) -> type[bootsteps.StartStopStep]:
    """A step of Celery's consumer: declares the topology on every new connection and reports what the loop does."""

    class House(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.connection:Connection",)

        def __init__(self, consumer: Any, **options: Any) -> None:
            super().__init__(consumer, **options)
            health.check("broker", lambda: _require_connected(consumer))

        def start(self, consumer: Any) -> None:
            topology.declare(consumer.connection.default_channel)
            log.info("worker_connected")

    return House


def _require_connected(consumer: Any) -> None:
    connection = consumer.connection
    if connection is None or not connection.connected or consumer.task_consumer is None:
        raise ConnectionError("no connection to RabbitMQ")


def _reach_broker(app: Celery) -> None:
    with app.connection_for_write(connect_timeout=2) as connection:
        connection.connect()


def _scheduler(health: Health) -> type[Scheduler]:
    """Keeps its schedule in memory: what is due follows from the clock, and every sweep is idempotent."""

    class Ticking(Scheduler):
        def tick(self, *args: Any, **options: Any) -> Any:
            health.beat()
            return super().tick(*args, **options)

    return Ticking


def _keep_our_logging(**_: Any) -> None:
    """Connecting to this signal tells Celery to leave logging as `telemetry.configure` made it."""
