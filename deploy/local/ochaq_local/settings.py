"""The settings of every service's process on one machine, by the names that `.env.example` documents."""

from __future__ import annotations

import os

from . import ports, processes
from .instance import Instance

DATABASES = ("web", "files")
INTERNAL = ("web", "files", "search", "realtime")
OURS = ("OCHAQ_LOCAL", "OCHAQ_INSTANCE", "OCHAQ_PROCESS")  # of this command itself, not of a service
BUCKET = "ochaq"


def of_process(instance: Instance, name: str) -> dict[str, str]:
    """Everything one process reads from its environment; a setting in the caller's own environment wins."""
    service = name.partition("-")[0]
    settings = {
        **_base(instance),
        **_common(instance, service),
        **_of_service(instance, service),
        "OCHAQ_BIND_HOST": ports.HOST,
        "OCHAQ_BIND_PORT": str(instance.ports[name]),
    }
    return {**settings, **from_caller()}


def from_caller() -> dict[str, str]:
    """Settings given to `make up` by its environment, as benches do to raise a rate limit."""
    return {name: value for name, value in os.environ.items() if name.startswith("OCHAQ_") and name not in OURS}


def _base(instance: Instance) -> dict[str, str]:
    return {
        "PATH": f"{instance.checkout}/.venv/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",  # glibc's arenas per thread otherwise cost some 20 MB a process
    }


def _common(instance: Instance, service: str) -> dict[str, str]:
    keys = instance.data / "keys"
    return {
        "OCHAQ_MODE": "demo",
        "OCHAQ_PUBLIC_URL": instance.url,
        "OCHAQ_LOG_LEVEL": "info",
        "OCHAQ_SIGNING_KEY_FILE": str(keys / f"{service}.pem"),
        "OCHAQ_JWKS_FILE": str(keys / "jwks.json"),
        "OCHAQ_AMQP_URL": f"amqp://ochaq:{instance.secrets['rabbitmq']}@{instance.address('rabbitmq')}/ochaq",
        "OCHAQ_REDIS_URL": _redis(instance, 0),
        **{f"OCHAQ_{name.upper()}_URL": f"http://{instance.address(f'{name}-serve')}" for name in INTERNAL},
    }


def _of_service(instance: Instance, service: str) -> dict[str, str]:
    by_service = {"web": _web, "files": _files, "search": _search, "realtime": _realtime, "worker": _worker}
    return by_service[service](instance)


def _web(instance: Instance) -> dict[str, str]:
    return {
        "OCHAQ_DATABASE_URL": database_url(instance, "web"),
        "OCHAQ_SECRET_KEY": instance.secrets["web_secret_key"],
        "OCHAQ_CACHE_URL": _redis(instance, 1),
        "OCHAQ_STATIC_ROOT": str(instance.data / "static"),
        "OCHAQ_DEMO_PASSWORD": instance.secrets["demo_password"],
        "OCHAQ_WEB_WORKERS": "1",
        "OCHAQ_WEB_THREADS": "4",
        "OCHAQ_STATUS_FILE": str(instance.state / "processes.json"),
    }


def _files(instance: Instance) -> dict[str, str]:
    return {
        "OCHAQ_DATABASE_URL": database_url(instance, "files"),
        "OCHAQ_OBJECT_STORE": instance.object_store,
        "OCHAQ_OBJECT_DIR": str(instance.data / "objects"),
        "OCHAQ_SPOOL_DIR": str(instance.data / "spool"),
        "OCHAQ_SENDFILE": "true" if instance.object_store == "local" else "false",
        **(_s3(instance) if instance.object_store == "s3" else {}),
    }


def _s3(instance: Instance) -> dict[str, str]:
    return {
        "OCHAQ_S3_ENDPOINT": f"http://{instance.address(processes.OBJECT_STORE)}",
        "OCHAQ_S3_BUCKET": BUCKET,
        "OCHAQ_S3_REGION": "local",
        "OCHAQ_S3_ACCESS_KEY": instance.secrets["s3_access_key"],
        "OCHAQ_S3_SECRET_KEY": instance.secrets["s3_secret_key"],
    }


def _search(instance: Instance) -> dict[str, str]:
    return {"OCHAQ_SEARCH_ENGINE": "tantivy", "OCHAQ_INDEX_DIR": str(instance.data / "index")}


def _realtime(instance: Instance) -> dict[str, str]:
    return {"OCHAQ_REALTIME_SERVER": "daphne", "OCHAQ_ALLOWED_ORIGINS": instance.url}


def _worker(instance: Instance) -> dict[str, str]:
    return {
        "OCHAQ_WORKER_CONCURRENCY": "3",
        "OCHAQ_WORKER_LEAVE_SECONDS": "20",
        "OCHAQ_WORKER_SLIPS_DIR": str(instance.run / "slips"),
        # Celery's pool makes a folder that it leaves behind when it is killed.
        "TMPDIR": str(instance.run / "worker-work"),
    }


def database_url(instance: Instance, service: str) -> str:
    password = instance.secrets[f"postgres_{service}"]
    return f"postgresql://ochaq_{service}:{password}@{instance.address('postgres')}/ochaq_{service}"


def _redis(instance: Instance, database: int) -> str:
    return f"redis://:{instance.secrets['redis']}@{instance.address('redis')}/{database}"
