"""What has to be true before the services start: keys, databases, their tables, static files; and the demo school."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from . import kept, settings, table, virtualenv
from .instance import Instance
from .ports import HOST
from .stop import Stop

SERVICES = ("web", "worker", "realtime", "files", "search")
ROLES = ("manager", "instructor", "student", "customer", "operator")


def keys(instance: Instance) -> None:
    """Each service's signing key and everybody's public keys; existing ones stay."""
    directory = instance.data / "keys"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    program = f"{instance.checkout}/.venv/bin/ochaq"
    _run(instance, [program, "keys", "init", "--dir", str(directory), "--services", ",".join(SERVICES)], {})


def gateway(instance: Instance) -> None:
    """Render nginx' configuration; what nginx writes lies beside it, so all of it belongs to the servers' user."""
    home = instance.data / "nginx"
    instance.account.directory(home, 0o750)
    upstreams = [part for name in settings.INTERNAL for part in (f"--{name}", instance.address(f"{name}-serve"))]
    places = [
        "--data",
        str(instance.data),
        "--static",
        str(instance.data / "static"),
        "--objects",
        str(instance.data / "objects"),
    ]
    command = [instance.python, str(instance.checkout / "gateway" / "render.py"), "--out", str(home)]
    given = settings.from_caller()
    room = ["--max-upload-bytes", given["OCHAQ_MAX_UPLOAD_BYTES"]] if "OCHAQ_MAX_UPLOAD_BYTES" in given else []
    public = ["--port", str(instance.port), "--public-url", instance.url, *room]
    _run(instance, [*command, *public, *places, *upstreams], given)
    _link_gateway_logs(instance)
    if instance.account.is_other:
        for path in home.rglob("*"):
            os.chown(path, *instance.account.owner, follow_symlinks=False)


def _link_gateway_logs(instance: Instance) -> None:
    """nginx opens its logs itself, as its own user, so they lie in its folder; here they are beside the others."""
    for name in ("access", "error"):
        link = instance.logs / f"gateway-{name}.log"
        if not link.is_symlink():
            link.symlink_to(instance.data / "nginx" / f"{name}.log")


def databases(instance: Instance) -> None:
    server = table.postgres(instance)
    for service in settings.DATABASES:
        server.ensure_database(f"ochaq_{service}", instance.secrets[f"postgres_{service}"])


def tables_and_static(instance: Instance) -> None:
    """Migrate both databases and collect the static files, side by side."""
    together(
        lambda: _module(instance, "web-serve", "migrate"),
        lambda: _module(instance, "files-serve", "migrate"),
        lambda: static(instance),
    )


def static(instance: Instance) -> None:
    """Collect static files, only when one of them or an installed package changed."""
    wanted = _static_fingerprint(instance)
    stamp = instance.run / "static.stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    _module(instance, "web-serve", "manage", "collectstatic", "--noinput", "--verbosity", "0")
    kept.write(stamp, wanted)


def _static_fingerprint(instance: Instance) -> str:
    digest = hashlib.sha256(virtualenv.stamp(instance.checkout, "local").encode())
    for path in sorted((instance.checkout / "services" / "web").glob("ochaq_web/**/static/**/*")):
        facts = path.stat()
        digest.update(f"{path}:{facts.st_size}:{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def seed(instance: Instance) -> None:
    _module(instance, "web-serve", "seed")


def write_demo(instance: Instance) -> None:
    users = {role: f"{role}@ochaq.localhost" for role in ROLES}
    known = {"url": instance.url, "password": instance.secrets["demo_password"], "users": users}
    kept.write_json(instance.state / "demo.json", known, kept.PRIVATE)


def write_operator_files(instance: Instance) -> None:
    """What the operator's command and web's own status page need to know about this instance."""
    settings_of_web = {k: v for k, v in settings.of_process(instance, "web-serve").items() if k.startswith("OCHAQ_")}
    more = {"OCHAQ_FILES_DATABASE_URL": settings.database_url(instance, "files")}
    lines = [f"{name}={value}\n" for name, value in sorted({**settings_of_web, **more}.items())]
    kept.write(instance.state / "ochaq.env", "".join(lines), kept.PRIVATE)
    rows = [{"name": p.name, "host": HOST, "port": p.port, "kind": p.kind} for p in table.all_processes(instance)]
    kept.write_json(instance.state / "processes.json", rows, kept.PUBLIC)


def together(*steps: Callable[[], None]) -> None:
    """Run steps side by side; the first failure is the one that is told."""
    with ThreadPoolExecutor(max_workers=len(steps)) as pool:
        for future in [pool.submit(step) for step in steps]:
            future.result()


def _module(instance: Instance, process: str, *args: str) -> None:
    module = f"ochaq_{process.partition('-')[0]}"
    _run(instance, [instance.python, "-m", module, *args], settings.of_process(instance, process))


def _run(instance: Instance, command: list[str], environment: dict[str, str]) -> None:
    env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", **environment}
    done = subprocess.run(
        command, env=env, cwd=instance.state, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        failed = instance.logs / "failed-step.log"
        kept.write(failed, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}\n", kept.PRIVATE)
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise Stop(f"A step of the start failed ({' '.join(command[1:5])}): {last[0][:300]} (all of it: {failed})")
