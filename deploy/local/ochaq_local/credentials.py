"""The secrets of one instance: random, made once, kept in a file that only its owner reads."""

import secrets
from pathlib import Path

from . import kept

NAMES = (
    "postgres_admin",
    "postgres_web",
    "postgres_files",
    "redis",
    "rabbitmq",
    "rabbitmq_cookie",
    "web_secret_key",
    "demo_password",
    "s3_access_key",
    "s3_secret_key",
)


def load(path: Path) -> dict[str, str]:
    """The kept secrets; missing ones are added, so a newer version of Ochaq can ask for more."""
    known: dict[str, str] = kept.read_json(path) or {}
    missing = [name for name in NAMES if name not in known]
    if missing:
        known.update({name: _fresh(name) for name in missing})
        kept.write_json(path, known, kept.PRIVATE)
    return known


def _fresh(name: str) -> str:
    # People type the demo password; everything else is read by programs, in URLs and conf files alike: hence hex.
    return secrets.token_hex(6) if name == "demo_password" else secrets.token_hex(24)
