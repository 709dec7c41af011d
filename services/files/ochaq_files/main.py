"""Chooses the process to be; `processes/` wires each of them.

`serve` answers HTTP, `relay` moves the outbox to RabbitMQ, `consume` processes uploads and sweeps, `migrate` brings
the database to its newest shape. Only the chosen one is imported: a relay without a web framework has half the memory.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from ochaq_shared.settings import load
from ochaq_shared.telemetry import configure

from ochaq_files.settings import FilesSettings

SERVICE = "files"
PROCESSES = ("consume", "migrate", "relay", "serve")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m ochaq_files", description=__doc__)
    parser.add_argument("process", choices=PROCESSES)
    chosen = parser.parse_args(arguments).process
    settings = load(FilesSettings)
    configure(SERVICE, chosen, settings.log_level)
    import_module(f"ochaq_files.processes.{chosen}").run(settings)
    return 0
