"""`up`: from whatever state this machine is in to a whole running Ochaq."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from . import bootstrap, catalogues, debian, kept, ports, readiness, remains, settings, supervisor, table, virtualenv
from .instance import CHECKOUT, OBJECT_STORES, Instance
from .stop import Stop

FREE_BYTES = 300 * 1024 * 1024
SERVERS_SECONDS = 90
SERVICES_SECONDS = 120


class Steps:
    """Tells a person what goes on and how long it has taken so far."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.began = time.monotonic()
        self.quiet = quiet

    def say(self, text: str) -> None:
        if not self.quiet:
            print(f"[{time.monotonic() - self.began:5.1f} s] {text}", flush=True)


def up(instance: Instance, port: int | None = None, object_store: str | None = None) -> None:
    _check_system(object_store)
    instance.state.mkdir(parents=True, exist_ok=True)
    _check_disk(instance.state)
    with kept.locked(instance.state / "up.lock", "Another `make up` or `make down` is at work here: waiting for it."):
        if instance.done.exists() and supervisor.answers(instance):
            _already_up(instance, port, object_store)
            return
        _bring_up(instance, Steps(), port, object_store)
    _tell(instance)


def _check_system(object_store: str | None) -> None:
    if not Path("/proc/self/environ").exists():
        raise Stop("Ochaq runs on Linux only, and /proc is needed: on another system use a Debian 12 virtual machine.")
    if object_store is not None and object_store not in OBJECT_STORES:
        raise Stop(f"OBJECT_STORE={object_store} is unknown: it is one of {', '.join(OBJECT_STORES)}.")


def _check_disk(path: Path) -> None:
    free = shutil.disk_usage(path).free
    if free < FREE_BYTES:
        raise Stop(
            f"Only {free // 2**20} MB are free where {path} lies: free at least {FREE_BYTES // 2**20} MB and try again."
        )


def _already_up(instance: Instance, port: int | None, object_store: str | None) -> None:
    if port not in (None, instance.port):
        raise Stop(f"Ochaq already runs on port {instance.port}: `make down` first, then `make up PORT={port}`.")
    if object_store not in (None, instance.object_store):
        now = instance.object_store
        raise Stop(f"Ochaq already runs with OBJECT_STORE={now}: `make down` first, then `make up` with another.")
    wait_ready(instance, SERVICES_SECONDS)
    print(f"Ochaq already runs at {instance.url}: nothing was changed.")
    if not virtualenv.is_current(CHECKOUT, "local"):
        print("Its requirements have changed since: `make down`, then `make up` takes them in.")


def _bring_up(instance: Instance, steps: Steps, port: int | None, object_store: str | None) -> None:
    debian.install_missing(debian.SERVER_PACKAGES)
    if virtualenv.ensure(CHECKOUT):
        steps.say(".venv is installed")
    catalogues.ensure(CHECKOUT)
    start_servers(instance, steps, port, object_store)
    _prepare(instance, steps)
    supervisor.start_services(instance)
    steps.say("services are starting")
    bootstrap.seed(instance)
    steps.say("the demo school is there")
    wait_ready(instance, SERVICES_SECONDS)
    bootstrap.write_demo(instance)
    kept.write(instance.done, f"{time.time():.0f}\n")
    steps.say("everything is ready")


def start_servers(instance: Instance, steps: Steps, port: int | None = None, object_store: str | None = None) -> None:
    if not supervisor.answers(instance):
        _clear(instance, steps)
        _configure(instance, port, object_store)
        supervisor.start(instance)
    steps.say("servers are starting")


def _clear(instance: Instance, steps: Steps) -> None:
    ended = remains.end(instance)
    if ended:
        steps.say(f"{ended} processes of an earlier run without a supervisor were ended")
    instance.done.unlink(missing_ok=True)
    (instance.run / "supervisord.pid").unlink(missing_ok=True)
    instance.socket.unlink(missing_ok=True)


def _configure(instance: Instance, port: int | None, object_store: str | None) -> None:
    """Write everything the processes read. Only while none of them runs."""
    ports.check_gateway(port or instance.port)
    store = object_store or instance.object_store
    if instance.exists and store != instance.object_store:
        print(f"Files kept by OBJECT_STORE={instance.object_store} can be read again when it is chosen again.")
    instance.keep(port=port or instance.port, object_store=store, checkout=str(CHECKOUT))
    instance.pick_ports()
    _make_directories(instance)
    _check_disk(instance.data)
    for server in (table.postgres(instance), table.redis(instance), table.rabbitmq(instance)):
        server.prepare()
    bootstrap.write_operator_files(instance)
    supervisor.configure(instance, table.all_processes(instance))


def _make_directories(instance: Instance) -> None:
    """The data directory: entered by the servers' user, readable by nobody else."""
    data = instance.choose_data()
    if instance.state not in data.parents:
        print(f"{instance.account.name}, who runs the servers, cannot use {instance.state}: data lies in {data}.")
        data.parent.mkdir(parents=True, exist_ok=True)
    group = instance.account.gid
    for name in ("", "run", "static", "objects", "spool", "index", "s3", f"s3/{settings.BUCKET}"):
        path = data / name
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, -1, group)
        # nginx, as the servers' user, sends stored files: they inherit its group, whoever wrote them.
        path.chmod(0o2750)
    instance.run.mkdir(exist_ok=True)


def _prepare(instance: Instance, steps: Steps) -> None:
    """Everything the services need, while RabbitMQ, the slowest to start, still boots."""
    bootstrap.together(lambda: bootstrap.keys(instance), lambda: bootstrap.gateway(instance))
    servers = [process for process in table.all_processes(instance) if process.name in ("postgres", "redis")]
    missing = readiness.wait(instance, servers, SERVERS_SECONDS)
    if missing:
        raise Stop(_not_ready(instance, missing, SERVERS_SECONDS))
    bootstrap.databases(instance)
    bootstrap.tables_and_static(instance)
    steps.say("databases are migrated")


def wait_ready(instance: Instance, seconds: int) -> None:
    missing = readiness.wait(instance, table.all_processes(instance), seconds)
    if missing:
        raise Stop(_not_ready(instance, missing, seconds))


def _not_ready(instance: Instance, missing: set[str], seconds: int) -> str:
    names = ", ".join(sorted(missing))
    one = sorted(missing)[0]
    log = instance.logs / f"{one}.log"
    return f"Not ready after {seconds} s: {names}. See `make logs NAME={one}` ({log}) and `make doctor`."


def _tell(instance: Instance) -> None:
    print(f"\nOchaq runs at {instance.url}\n")
    for role in bootstrap.ROLES:
        print(f"  {role}@ochaq.localhost")
    print(f"\nTheir password: {instance.secrets['demo_password']}")
    print(f"(kept in {instance.state}/demo.json; `make status`, `make logs`, `make doctor`, `make down`)")
