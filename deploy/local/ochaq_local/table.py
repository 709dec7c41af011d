"""The table of all processes of one instance."""

from __future__ import annotations

from . import processes, settings
from .instance import Instance
from .processes import Process
from .servers.postgres import Postgres
from .servers.rabbitmq import RabbitMQ
from .servers.redis import Redis

NGINX = "/usr/sbin/nginx"


def postgres(instance: Instance) -> Postgres:
    home = instance.data / "postgres"
    return Postgres(home, instance.ports["postgres"], instance.account, instance.secrets["postgres_admin"])


def redis(instance: Instance) -> Redis:
    return Redis(instance.data / "redis", instance.ports["redis"], instance.account, instance.secrets["redis"])


def rabbitmq(instance: Instance) -> RabbitMQ:
    return RabbitMQ(
        home=instance.data / "rabbitmq",
        port=instance.ports["rabbitmq"],
        distribution_port=instance.ports["rabbitmq-distribution"],
        mapper_port=instance.ports["rabbitmq-mapper"],
        account=instance.account,
        password=instance.secrets["rabbitmq"],
        cookie=instance.secrets["rabbitmq_cookie"],
        instance=instance.id,
    )


def all_processes(instance: Instance) -> list[Process]:
    """Every process, servers first: the order in which people read them and in which they start."""
    servers = [postgres(instance).process(), redis(instance).process(), rabbitmq(instance).process()]
    if instance.object_store == "s3":
        servers.append(_object_store(instance))
    return [*servers, _gateway(instance), *(_service(instance, name) for name in processes.SERVICES)]


def _gateway(instance: Instance) -> Process:
    home = instance.data / "nginx"
    return Process(
        name="gateway",
        kind="gateway",
        command=[NGINX, "-p", str(home), "-c", str(home / "nginx.conf"), "-g", "daemon off;"],
        directory=home,
        port=instance.port,
        probe_path="/healthz",
        environment={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
        # nginx does not remove the socket of a killed run by itself, and cannot bind to it while it is there.
        stale=(home / "fill.sock", home / "nginx.pid"),
        stop_seconds=5,
        user=instance.account.name if instance.account.is_other else None,
    )


def _service(instance: Instance, name: str) -> Process:
    home = instance.run / name
    command = ["-m", f"ochaq_{name.partition('-')[0]}", name.partition("-")[2]]
    return Process(
        name=name,
        kind="service",
        command=[instance.python, *command],
        directory=home,
        port=instance.ports[name],
        environment=settings.of_process(instance, name),
        # Longer than the worker lets running jobs have on SIGTERM (OCHAQ_WORKER_LEAVE_SECONDS).
        stop_seconds=30 if name == "worker-work" else 15,
    )


def _object_store(instance: Instance) -> Process:
    home = instance.run / processes.OBJECT_STORE
    bucket_parent = instance.data / "s3"
    port = instance.address(processes.OBJECT_STORE)
    return Process(
        name=processes.OBJECT_STORE,
        kind="server",
        command=[
            f"{instance.checkout}/.venv/bin/rclone",
            "serve",
            "s3",
            str(bucket_parent),
            "--addr",
            port,
            "--vfs-cache-mode",
            "off",
        ],
        directory=home,
        port=instance.ports[processes.OBJECT_STORE],
        probe="tcp",
        environment={
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "RCLONE_CONFIG": "/dev/null",
            # By the environment and not as an argument: every user of the machine can read another's arguments.
            # Quoted, because rclone reads such a variable as one line of CSV and a pair of keys has a comma.
            "RCLONE_AUTH_KEY": f'"{instance.secrets["s3_access_key"]},{instance.secrets["s3_secret_key"]}"',
        },
    )
