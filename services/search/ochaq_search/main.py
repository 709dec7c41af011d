"""The composition root: the only module that knows all others."""

from __future__ import annotations

import signal
import sys
import threading
from functools import partial

import structlog
import uvicorn
from ochaq_shared import telemetry
from ochaq_shared.bus import topology
from ochaq_shared.bus.consumer import Consumer
from ochaq_shared.bus.delivery import BatchProcessor
from ochaq_shared.health import Health, HealthServer
from ochaq_shared.http import InternalClient
from ochaq_shared.identity import Signer, Verifier
from ochaq_shared.receipts import Receipts
from ochaq_shared.settings import load

from ochaq_search.announcements import Announcements
from ochaq_search.api.app import make_app
from ochaq_search.consumers import RebuildCommands, StudentEvents, parse_command
from ochaq_search.engines import EngineNotBuilt, open_engine
from ochaq_search.engines.base import StudentEngine
from ochaq_search.following import Follower
from ochaq_search.indexing import LiveIndex
from ochaq_search.keeping import keep
from ochaq_search.rebuilds import Lease
from ochaq_search.settings import Settings
from ochaq_search.sources import WebStudents
from ochaq_search.students import StudentSearch

log = structlog.get_logger(__name__)

USAGE = "usage: python -m ochaq_search serve|index"


def main(arguments: list[str]) -> int:
    """Run one process of the service; the answer is the exit status."""
    processes = {"serve": serve, "index": index}
    if len(arguments) != 1 or arguments[0] not in processes:
        sys.stderr.write(f"{USAGE}\n")
        return 2
    settings = load(Settings)
    telemetry.configure("search", arguments[0], settings.log_level)
    try:
        engine = open_engine(settings)
    except EngineNotBuilt as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return processes[arguments[0]](settings, engine)


def serve(settings: Settings, engine: StudentEngine) -> int:
    """Answer searches until SIGTERM."""
    reader = engine.reader()
    follower = Follower(reader)
    health = Health("search", "serve")
    health.check("index", follower.check)
    search = StudentSearch(reader, remembered=settings.search_answer_cache)
    verifier = Verifier(settings.jwks_file, "search")
    # Uvicorn ends in good order on these signals and then raises them again for the handler that was there before:
    # with the default one, an orderly end would look like a death by signal.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _signal, _frame: None)
    uvicorn.run(
        make_app(search, verifier, health, follower.running, settings.public_url),
        host=settings.bind_host,
        port=settings.bind_port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=20,
    )
    return 0


def index(settings: Settings, engine: StudentEngine) -> int:
    """Keep the index true until SIGTERM."""
    web = InternalClient(settings.web_url, Signer(settings.signing_key_file, "search"), "web")
    live = LiveIndex(engine, WebStudents(web))
    announcements = Announcements(settings.amqp_url)
    health = Health("search", "index")
    health.check("index", live.check)
    events = BatchProcessor(StudentEvents(live))
    commands = BatchProcessor(RebuildCommands(live, announcements, partial(Lease.claim, web)))
    consumers = [
        Consumer(settings.amqp_url, topology.SEARCH_STUDENTS, events, health, receipts=Receipts(settings.redis_url)),
        Consumer(settings.amqp_url, topology.SEARCH_COMMANDS, commands, health, parse=parse_command),
    ]
    _stop_on_signals(live, consumers)
    HealthServer(health, settings.bind_host, settings.bind_port).start()
    threads = [threading.Thread(target=c.run, name=f"consumer-{i}", daemon=True) for i, c in enumerate(consumers)]
    for thread in threads:
        thread.start()
    keep(live, announcements)
    for thread in threads:
        thread.join(timeout=10)
    live.close()
    return 0


def _stop_on_signals(live: LiveIndex, consumers: list[Consumer]) -> None:
    def stop(_signal: int, _frame: object) -> None:
        live.stop()
        for consumer in consumers:
            consumer.stop()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
