"""Writes the gateway's nginx configuration from `templates/` (standard library only).

    python gateway/render.py --out DIR --port 8080 --data DIR --web 127.0.0.1:8001 --files … --search … --realtime …
        --static DIR --objects DIR [--public-url URL] [--rates env|strict|off]

Rates come from the environment: `OCHAQ_RATE_GENERAL="100r/s:200"` (rate:burst, or `off`), likewise `OCHAQ_RATE_AUTH`,
`OCHAQ_RATE_UPLOAD`, `OCHAQ_RATE_HANDSHAKE`; `OCHAQ_MAX_CONNECTIONS` and `OCHAQ_MAX_SOCKETS` are per address.
A value that cannot be read stops the start by name.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import string
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
TEMPLATES = HERE / "templates"
PAGES = HERE / "pages"

STRICT = {"GENERAL": "100r/s:200", "AUTH": "20r/m:10", "UPLOAD": "10r/s:40", "HANDSHAKE": "10r/s:40"}
STRICT_COUNTS = {"MAX_CONNECTIONS": "200", "MAX_SOCKETS": "1000"}
RATE = re.compile(r"^([1-9]\d*r/[sm]):(\d+)$")
# The kernel's limit for the path of a unix socket (sun_path is 108 bytes with its closing zero).
SOCKET_PATH_LIMIT = 107
# What a path or address may hold: nothing that nginx's configuration would read as syntax.
PLAIN = re.compile(r"^[A-Za-z0-9._/:\[\]@+-]+$")
CACHE_SLACK = 1024 * 1024


class WrongSetting(ValueError):
    """A setting that cannot be used; the message is one sentence for the person who starts the gateway."""


class ConfTemplate(string.Template):
    """`%%{name}` is filled in here; every `$name` stays for nginx."""

    delimiter = "%%"
    pattern = r"%%(?:(?P<escaped>%%)|(?P<named>(?!))|\{(?P<braced>[a-z_]+)\}|(?P<invalid>))"  # type: ignore[assignment]


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    options = _parser().parse_args(arguments)
    try:
        values = {**settings(options), **limits(environ if options.rates == "env" else {}, off=options.rates == "off")}
        render(options.out, values)
        make_directories(options.data / "nginx")
    except WrongSetting as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{options.out / 'nginx.conf'}\n")
    return 0


def render(out: Path, values: Mapping[str, str]) -> None:
    """Writes every template of `templates/` into `out`; raises KeyError for a name without a value."""
    out.mkdir(parents=True, exist_ok=True)
    # Copied, because nginx may run as a user who cannot enter the checkout.
    shutil.copyfile(PAGES / "problem.css", out / "problem.css")
    for template in sorted(TEMPLATES.glob("*.conf.template")):
        text = ConfTemplate(template.read_text()).substitute(values)
        (out / template.name.removesuffix(".template")).write_text(text)


def make_directories(data: Path) -> None:
    for name in ("", "body", "proxy", "fastcgi", "scgi", "uwsgi", "cache"):
        (data / name).mkdir(parents=True, exist_ok=True)
    # Identity answers lie in the cache for a few seconds: nobody else on the machine may read them.
    (data / "cache").chmod(0o700)


def settings(options: argparse.Namespace) -> dict[str, str]:
    """Everything but the rates, checked."""
    public_url = options.public_url or f"http://{options.host}:{options.port}"
    parts = urlsplit(public_url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise WrongSetting(f"--public-url must look like https://school.example, without a path; it is {public_url!r}")
    data = options.data.resolve() / "nginx"
    socket = f"{data}/fill.sock"
    if len(socket.encode()) > SOCKET_PATH_LIMIT:
        raise WrongSetting(
            f"--data is too long: the socket {socket} would pass {SOCKET_PATH_LIMIT} bytes; choose a shorter one"
        )
    files = _open_files(options.files_limit)
    values = {
        "data": str(data),
        "listen": f"{options.host}:{options.port}" + (" ssl" if options.tls_certificate else ""),
        "web": options.web,
        "files_service": options.files,
        "search": options.search,
        "realtime": options.realtime,
        "static": str(options.static.resolve()),
        "objects": str(options.objects.resolve()),
        "pages": str(options.out.resolve()),
        "public_url": f"{parts.scheme}://{parts.netloc}",
        "scheme": parts.scheme,
        "workers": str(options.workers),
        "files": str(files),
        "connections": str(max(512, min(16384, files - 64))),
        "max_upload": str(options.max_upload_bytes + CACHE_SLACK),
    }
    for name, value in values.items():
        if not PLAIN.match(value.removesuffix(" ssl")):
            raise WrongSetting(f"{name} holds characters that nginx would misread: {value!r}")
    # nginx obeys `user` only when root starts it; everybody else would just be warned.
    values["user"] = f"user {options.user};" if options.user else "# The user is whoever starts nginx."
    return {**values, "hsts": _hsts(parts.scheme), "tls": _tls(options), "problem_html": _problem_html()}


def limits(environ: Mapping[str, str], *, off: bool = False) -> dict[str, str]:
    """Rates and counts for `limits.conf`, from `OCHAQ_RATE_*` where set, else the strict ones."""
    values: dict[str, str] = {}
    for name, strict in STRICT.items():
        rate, burst = _rate(f"OCHAQ_RATE_{name}", "off" if off else environ.get(f"OCHAQ_RATE_{name}", strict))
        key = name.lower()
        values[f"{key}_rate"] = rate or "1r/s"
        values[f"{key}_burst"] = burst
        values[f"{key}_key"] = "$binary_remote_addr" if rate else '""'
    for name, strict in STRICT_COUNTS.items():
        value = "65535" if off else environ.get(f"OCHAQ_{name}", strict)
        if not value.isdigit() or not 1 <= int(value) <= 65535:
            raise WrongSetting(f"OCHAQ_{name} must be a whole number from 1 to 65535; it is {value!r}")
        values[name.lower()] = value
    return values


def _rate(name: str, value: str) -> tuple[str, str]:
    if value == "off":
        return "", "1"
    found = RATE.match(value)
    if not found:
        raise WrongSetting(f"{name} must look like 100r/s:200 (rate:burst) or be off; it is {value!r}")
    return found[1], found[2]


def _hsts(scheme: str) -> str:
    if scheme != "https":
        return "# No HSTS: the public address is not https."
    return 'add_header Strict-Transport-Security "max-age=63072000; includeSubDomains" always;'


def _tls(options: argparse.Namespace) -> str:
    if not options.tls_certificate:
        return "# TLS ends before this process, or is not wanted here."
    lines = (
        f"ssl_certificate {options.tls_certificate.resolve()};",
        f"ssl_certificate_key {options.tls_key.resolve()};",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "ssl_session_cache shared:tls:5m;",
        "ssl_session_tickets off;",
    )
    return "\n        ".join(lines)


def _problem_html() -> str:
    """The error page on one line: it becomes one quoted word of the configuration, which may hold 4096 bytes."""
    page = " ".join((PAGES / "problem.html").read_text().split())
    if "'" in page or "\\" in page or len(page) > 4000:
        raise WrongSetting("pages/problem.html must be below 4000 bytes, without ' and \\")
    return page


def _open_files(wanted: int) -> int:
    """As many open files as this user may have, at most `wanted`: asking for more would only log an alert."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Write the gateway's nginx configuration.")
    parser.add_argument("--out", type=Path, required=True, help="directory for the configuration")
    parser.add_argument("--data", type=Path, required=True, help="nginx writes below DATA/nginx")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    for service in ("web", "files", "search", "realtime"):
        parser.add_argument(f"--{service}", required=True, metavar="HOST:PORT")
    parser.add_argument("--static", type=Path, required=True, help="collected static files")
    parser.add_argument("--objects", type=Path, required=True, help="the local object store, for X-Accel-Redirect")
    parser.add_argument("--public-url", default="", help="as browsers see the gateway")
    parser.add_argument("--rates", choices=("env", "strict", "off"), default="env")
    parser.add_argument("--max-upload-bytes", type=int, default=10 * 1024**3)
    parser.add_argument("--user", default="", help="whom workers run as, where root starts nginx")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--files-limit", type=int, default=65536, help="open files a worker may have")
    parser.add_argument("--tls-certificate", type=Path, default=None)
    parser.add_argument("--tls-key", type=Path, default=None)
    return parser


if __name__ == "__main__":
    sys.exit(main())
