"""Running until told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

from ochaq_shared.health import Health, HealthServer

from ochaq_files.settings import FilesSettings

SERVICE = "files"
STALL_SECONDS = 60.0


def run_until_stopped(
    settings: FilesSettings, health: Health, run: Callable[[], None], stop: Callable[[], None]
) -> None:
    """Run a loop in this thread, with its health beside it, until SIGTERM or SIGINT."""

    def on_signal(_number: int, _frame: Any) -> None:
        health.draining = True
        stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    server = HealthServer(health, settings.bind_host, settings.bind_port)
    server.start()
    try:
        run()
    finally:
        threading.Thread(target=server.stop, daemon=True).start()
