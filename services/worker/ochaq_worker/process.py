"""What one pool process owns: its connection to web. A connection must not be shared across a fork."""

from __future__ import annotations

from ochaq_shared.http import InternalClient
from ochaq_shared.identity import Signer

from ochaq_worker.settings import WorkerSettings
from ochaq_worker.web import Web

_web: Web | None = None


def open_process(settings: WorkerSettings) -> None:
    """Called once in every pool process after its fork."""
    global _web
    signer = Signer(settings.signing_key_file, "worker")
    _web = Web(InternalClient(settings.web_url, signer, "web"))


def web() -> Web:
    """This process's client of web."""
    if _web is None:
        raise RuntimeError("open_process was not called in this process")
    return _web
