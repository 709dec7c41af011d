"""`ochaq keys init`: the services' signing keys and the JWKS file they all read."""

from __future__ import annotations

import argparse
from pathlib import Path

from ochaq_shared.cli.output import show
from ochaq_shared.identity import create_keys

SERVICES = "web,worker,realtime,files,search"


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("keys", help="signing keys")
    actions = parser.add_subparsers(dest="action", required=True)
    init = actions.add_parser("init", help="make the missing keys and write jwks.json")
    init.add_argument("--dir", type=Path, required=True)
    init.add_argument("--services", default=SERVICES)
    init.set_defaults(run=_init)


def _init(options: argparse.Namespace) -> int:
    services = options.services.split(",")
    made = create_keys(options.dir, services)
    rows = [{"service": name, "key": "made" if name in made else "kept"} for name in services]
    show(rows, as_json=options.json)
    return 0
