"""`consume`: processes uploads and sweeps."""

from __future__ import annotations

from ochaq_shared.bus.consumer import Consumer
from ochaq_shared.bus.inbox import InboxProcessor
from ochaq_shared.bus.topology import FILES_EVENTS
from ochaq_shared.postgres import wait_at_most
from ochaq_shared.receipts import Receipts

from ochaq_files import consumers
from ochaq_files.maintenance import Maintenance
from ochaq_files.processes.running import STALL_SECONDS, run_until_stopped
from ochaq_files.processes.wiring import build_health, build_objects
from ochaq_files.settings import FilesSettings
from ochaq_files.storage.database import Database, sync_engine
from ochaq_files.storage.scratch import Scratch
from ochaq_files.sweeping import Sweeper


def run(settings: FilesSettings) -> None:
    """Process uploads and sweep until told to stop."""
    # A sweep may take its time, but must end before the process counts as stalled.
    wait_at_most(STALL_SECONDS / 2)
    objects = build_objects(settings)
    health = build_health(settings, "consume", objects, stall_after=STALL_SECONDS)
    engine = sync_engine(settings.database_url)
    sweeper = Sweeper(Database(settings.database_url, pool=2), objects, Scratch(settings.spool_dir))
    maintenance = Maintenance(settings, sweeper, engine)
    maintenance.start()
    work = consumers.EngineWork(engine)
    processor = InboxProcessor(consumers.CONSUMER, work, consumers.handlers(engine, work, maintenance.read_head))
    receipts = Receipts(settings.redis_url)
    consumer = Consumer(settings.amqp_url, FILES_EVENTS, processor, health, receipts=receipts)
    try:
        run_until_stopped(settings, health, consumer.run, consumer.stop)
    finally:
        maintenance.stop()
        engine.dispose()
