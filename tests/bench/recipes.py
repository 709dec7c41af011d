"""How fast the list of recipes is through the gateway, in turns with what it is compared to.

    python tests/bench/recipes.py --url http://127.0.0.1:8080 [--seconds 3] [--turns 3] [--env FILE] [--json]

Three contenders take turns (A B C A B C …), so that whatever else the machine does hits all of them:

- gateway: `GET /api/v1/recipes/` as a visitor, by wrk;
- static: a throw-away nginx on a free loopback port that serves a file of the same bytes, by the same wrk;
- uncached: the same view called in this process, on the same database, with every answer rendered anew
  (`ochaq_web.cookbook.rendered.bypassed`). No HTTP server is in its way, so its figure flatters it.

The gateway's strict rate limits would answer 429: start it with OCHAQ_RATE_GENERAL=off OCHAQ_MAX_CONNECTIONS=1000.
It takes about `turns * (3 * seconds + 1)` seconds. Needs wrk and nginx (Debian's packages).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATH = "/api/v1/recipes/"
CONNECTIONS = 32
MOST_SECONDS = 60
GOAL = 0.7  # of the static file's rate, quality.md

# The gateway's own main tuning, so that the two nginx differ in what they do and not in how they were set up.
STATIC = """
{user}
worker_processes {workers};
pid {root}/nginx.pid;
error_log {root}/error.log error;
daemon off;
events {{ worker_connections 4096; multi_accept on; }}
http {{
    types {{ application/json json; }}
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    scgi_temp_path {root}/scgi;
    uwsgi_temp_path {root}/uwsgi;
    sendfile on;
    tcp_nopush on;
    server_tokens off;
    keepalive_timeout 30s;
    keepalive_requests 10000;
    open_file_cache max=4000 inactive=20s;
    open_file_cache_valid 1s;
    access_log {root}/access.log combined buffer=64k flush=1s;
    server {{
        listen 127.0.0.1:{port};
        root {root}/files;
    }}
}}
"""


@dataclass(frozen=True)
class Turn:
    """Requests per second of each contender in one turn; `uncached` is None where its database is not known."""

    gateway: float
    static: float
    uncached: float | None


class Unfair(Exception):
    """The measurement does not measure what it claims to; says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    try:
        body = _body(options.url + PATH)
        uncached = _uncached_rate(options.env, options.seconds)
        with static_server(body, options.workers) as static_url:
            turns = [_turn(options, static_url, uncached) for _ in range(options.turns)]
    except Unfair as error:
        sys.stderr.write(f"{error}\n")
        return 1
    report = summary(turns, len(body))
    print(json.dumps(report) if options.json else _table(report))
    return 0


def summary(turns: Sequence[Turn], size: int) -> dict[str, object]:
    """Median, least and most of every rate, and of the ratios turn by turn."""
    columns: dict[str, list[float]] = {
        "gateway": [turn.gateway for turn in turns],
        "static": [turn.static for turn in turns],
        "gateway / static": [turn.gateway / turn.static for turn in turns],
        "uncached": [turn.uncached for turn in turns if turn.uncached],
        "gateway / uncached": [turn.gateway / turn.uncached for turn in turns if turn.uncached],
    }
    figures = {
        name: {
            "median": round(statistics.median(values), 2),
            "min": round(min(values), 2),
            "max": round(max(values), 2),
        }
        for name, values in columns.items()
        if values
    }
    met = statistics.median(columns["gateway / static"]) >= GOAL
    return {"bytes": size, "turns": len(turns), "figures": figures, "goal": GOAL, "goal_met": met}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Recipes through the gateway, a static file, and no cache, in turns.")
    parser.add_argument("--url", required=True, help="of the gateway")
    parser.add_argument("--seconds", type=float, default=3, help=f"of each measurement, at most {MOST_SECONDS}")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--env", type=Path, default=Path(".local/ochaq.env"), help="web's settings, for `uncached`")
    parser.add_argument("--workers", type=int, default=2, help="of the static nginx; the gateway's default is 2")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    options.url = options.url.rstrip("/")
    options.seconds = min(max(options.seconds, 1), MOST_SECONDS)
    for tool in ("wrk", "nginx"):
        if not _program(tool):
            parser.error(f"{tool} is not installed: apt-get install {tool}")
    return options


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def _body(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        body: bytes = answer.read()
    if len(json.loads(body)["results"]) != 25:
        raise Unfair(f"{url} does not list 25 recipes: is the demo school seeded?")
    return body


def _turn(options: argparse.Namespace, static_url: str, uncached: Callable[[], float] | None) -> Turn:
    gateway = wrk(options.url + PATH, options.seconds)
    static = wrk(static_url, options.seconds)
    return Turn(gateway, static, uncached() if uncached else None)


def wrk(url: str, seconds: float) -> float:
    """Good answers per second. Raises `Unfair` when some answers were not good."""
    command = [_program("wrk") or "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 30)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if done.returncode or not rate:
        raise Unfair(f"wrk failed on {url}: {(done.stderr or done.stdout).strip()[-200:]}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    if bad:
        raise Unfair(f"{bad[1]} answers of {url} were errors: start the gateway with OCHAQ_RATE_GENERAL=off.")
    return float(rate[1])


@contextmanager
def static_server(body: bytes, workers: int) -> Iterator[str]:
    """nginx with one file; gone with everything it wrote when the block ends."""
    with tempfile.TemporaryDirectory(prefix="ochaq-bench-") as directory:
        root = Path(directory)
        root.chmod(0o755)  # nginx's workers are somebody else when root starts it
        (root / "files").mkdir()
        (root / "files" / "recipes.json").write_bytes(body)
        port = _free_port()
        user = "user root;" if os.geteuid() == 0 else ""
        (root / "nginx.conf").write_text(STATIC.format(root=root, port=port, workers=workers, user=user))
        server = subprocess.Popen([_program("nginx") or "nginx", "-c", root / "nginx.conf", "-p", root])
        try:
            _wait_for(port, server)
            yield f"http://127.0.0.1:{port}/recipes.json"
        finally:
            server.terminate()
            server.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Unfair("the static nginx did not start")


def _uncached_rate(env: Path, seconds: float) -> Callable[[], float] | None:
    """A measurement of the view without its cache; None where web's settings are not readable."""
    if not env.is_file():
        sys.stderr.write(f"{env} is missing, so the uncached view is left out.\n")
        return None
    pairs = (line.split("=", 1) for line in env.read_text().splitlines() if "=" in line)
    os.environ.update(
        {**dict(pairs), "OCHAQ_LOG_LEVEL": "error", "DJANGO_SETTINGS_MODULE": "ochaq_web.config.settings"}
    )
    import django

    django.setup()
    from ochaq_web.cookbook import rendered
    from ochaq_web.cookbook.apis import Recipes
    from rest_framework.test import APIRequestFactory

    view, requests = Recipes.as_view(), APIRequestFactory()

    def measure() -> float:
        count, began = 0, time.perf_counter()
        with rendered.bypassed():
            while time.perf_counter() - began < seconds:
                if view(requests.get(PATH)).status_code != 200:
                    raise Unfair("the uncached view failed")
                count += 1
        return count / (time.perf_counter() - began)

    return measure


def _table(report: dict[str, object]) -> str:
    figures = report["figures"]
    assert isinstance(figures, dict)
    lines = [
        f"recipes, {report['bytes']} bytes, {report['turns']} turns",
        f"{'':20}{'median':>12}{'min':>12}{'max':>12}",
    ]
    lines += [
        f"{name:20}{row['median']:>12,.2f}{row['min']:>12,.2f}{row['max']:>12,.2f}" for name, row in figures.items()
    ]
    lines.append(f"goal: gateway / static >= {report['goal']}: {'met' if report['goal_met'] else 'missed'}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
