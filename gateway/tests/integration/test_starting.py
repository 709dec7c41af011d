"""Wrong settings stop the start by name; a killed master leaves nothing in the way of the next one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

GATEWAY = Path(__file__).resolve().parents[2]
SERVICES = [f"--{name}=127.0.0.1:1" for name in ("web", "files", "search", "realtime")]


def render(directory: Path, *more: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        str(GATEWAY / "render.py"),
        f"--out={directory}/conf",
        f"--data={directory}/d",
        "--port=80",
    ]
    command += [f"--static={directory}", f"--objects={directory}", *SERVICES, *more]
    return subprocess.run(
        command, check=False, env={**os.environ, **environ}, capture_output=True, text=True, timeout=20
    )


@pytest.mark.parametrize(
    ("arguments", "environ", "named"),
    [
        ([], {"OCHAQ_RATE_AUTH": "fast"}, "OCHAQ_RATE_AUTH"),
        ([], {"OCHAQ_RATE_UPLOAD": "10r/s"}, "OCHAQ_RATE_UPLOAD"),
        ([], {"OCHAQ_MAX_SOCKETS": "0"}, "OCHAQ_MAX_SOCKETS"),
        (["--public-url", "ftp://x"], {}, "--public-url"),
        (["--public-url", "http://x/path"], {}, "--public-url"),
        (["--web", "127.0.0.1:1; return 200"], {}, "web"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], named: str
) -> None:
    done = render(tmp_path, *arguments, **environ)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_directory_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    done = render(tmp_path, f"--data={deep}")
    assert (done.returncode, "107 bytes" in done.stderr) == (2, True)


def test_every_placeholder_is_filled(tmp_path: Path) -> None:
    assert render(tmp_path).returncode == 0
    for conf in (tmp_path / "conf").glob("*.conf"):
        assert "%%" not in conf.read_text()


def test_no_location_loses_the_security_headers(tmp_path: Path) -> None:
    """nginx inherits add_header only where a block has none of its own."""
    render(tmp_path)
    routes = (tmp_path / "conf" / "routes.conf").read_text()
    for name, block in re.findall(r"location ([^{]+) \{(.*?)\n\}", routes, re.DOTALL):
        # An answer that nginx's range filter refuses has its headers already; test_headers.py counts them.
        if name != "= /-/range.json":
            assert "add_header" not in block or "include headers.conf" in block, name


def test_the_caches_are_closed_to_others(tmp_path: Path) -> None:
    render(tmp_path)
    assert (tmp_path / "d" / "nginx" / "cache").stat().st_mode & 0o777 == 0o700


def test_after_a_killed_master_the_next_start_works_and_no_old_worker_answers(start_gateway: Any) -> None:
    gateway = start_gateway()
    workers = gateway.workers
    assert workers
    gateway.process.kill()
    gateway.process.wait(5)
    assert gateway.get("/healthz").status_code == 200, "orphaned workers still hold the port"
    command = [sys.executable, str(GATEWAY / "serve.py"), "--conf", str(gateway.directory / "conf" / "nginx.conf")]
    gateway.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not gateway.workers:
        time.sleep(0.05)
    assert gateway.get("/healthz").status_code == 200
    assert gateway.get("/api/v1/recipes/").status_code == 200
    assert not any(alive(pid) for pid in workers)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
