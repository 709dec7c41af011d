"""What a developer asks for beside `up` and `down`: only the servers, only the installation, one process again."""

from __future__ import annotations

import subprocess

from . import catalogues, debian, guard, kept, readiness, remains, supervisor, table, virtualenv
from .instance import CHECKOUT, Instance
from .processes import Process
from .stop import Stop
from .up import SERVERS_SECONDS, SERVICES_SECONDS, Steps, start_servers, wait_ready


def install(wanted: str) -> None:
    """Everything that is needed to run (`local`), or to run, test and check (`dev`); nothing is started."""
    packages = debian.SERVER_PACKAGES + (debian.TEST_PACKAGES if wanted == "dev" else ())
    installed = debian.install_missing(packages)
    changed = virtualenv.ensure(CHECKOUT, wanted)
    catalogues.ensure(CHECKOUT)
    if not changed and not installed:
        print(f"Everything for `{wanted}` is installed.")


def servers(instance: Instance) -> None:
    """Start PostgreSQL, Redis and RabbitMQ only; writes their addresses as the tests' `external` source reads them."""
    debian.install_missing(debian.SERVER_PACKAGES)
    virtualenv.ensure(CHECKOUT)
    instance.state.mkdir(parents=True, exist_ok=True)
    with kept.locked(instance.state / "up.lock"):
        start_servers(instance, Steps(quiet=True))
    wanted = [process for process in table.all_processes(instance) if process.kind == "server"]
    missing = readiness.wait(instance, wanted, SERVERS_SECONDS)
    if missing:
        raise Stop(f"Not ready after {SERVERS_SECONDS} s: {', '.join(sorted(missing))}. See `make logs`.")
    kept.write_json(instance.state / "servers.json", addresses(instance), kept.PRIVATE)
    print(f"PostgreSQL, Redis and RabbitMQ run; their addresses are in {instance.state}/servers.json.")


def addresses(instance: Instance) -> dict[str, object]:
    broker = table.rabbitmq(instance)
    words = [f"{name}={value}" for name, value in broker.environment.items()]
    return {
        "postgres": table.postgres(instance).admin_url,
        "redis": table.redis(instance).url(),
        "amqp": broker.url(None),
        "rabbitmqctl": ["/usr/bin/env", "-C", str(broker.home), *words, broker.program("rabbitmqctl"), "-q"],
    }


def restart(instance: Instance, name: str | None) -> None:
    """Restart one process, or all services, to take in changed code."""
    if not supervisor.answers(instance):
        raise Stop("Nothing runs here: `make up` first.")
    chosen = [p for p in table.all_processes(instance) if p.name == name or (name is None and p.kind == "service")]
    if not chosen:
        raise Stop(f"There is no process {name}: `make status` lists them.")
    for process in chosen:
        _tell(instance, "stopProcess", process)
    guard.wait_gone([pid for process in chosen for pid in remains.of_process(instance, process.name)], 20)
    supervisor.wait_stopped(instance, {process.name for process in chosen}, 20)
    for process in chosen:
        _tell(instance, "startProcess", process)
    wait_ready(instance, SERVICES_SECONDS)
    print(f"Restarted: {', '.join(process.name for process in chosen)}.")


def _tell(instance: Instance, method: str, process: Process) -> None:
    supervisor.call(instance, method, f"{supervisor.group_of(process)}:{process.name}", False)


def run(instance: Instance, name: str) -> int:
    """Run one service's process in the foreground, in the place of the supervised one, which comes back at the end."""
    supervised = supervisor.answers(instance)
    chosen = [p for p in table.all_processes(instance) if p.name == name and p.kind == "service"] if supervised else []
    if not supervised:
        raise Stop("The servers it needs do not run: `make up` first.")
    if not chosen:
        raise Stop(f"{name} is no service's process: `make status` lists them.")
    process = chosen[0]
    _tell(instance, "stopProcess", process)
    guard.wait_gone(remains.of_process(instance, name), 20)
    supervisor.wait_stopped(instance, {name}, 20)
    try:
        return subprocess.run(supervisor.command(instance, process), check=False).returncode
    except KeyboardInterrupt:
        return 0
    finally:
        _tell(instance, "startProcess", process)
        print(f"The supervised {name} is back.")
