"""`migrate`: brings the database to its newest shape."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config

from ochaq_files.settings import FilesSettings
from ochaq_files.storage.database import UNAVAILABLE, migration_lock, sync_engine

log = structlog.get_logger(__name__)

MIGRATE_PATIENCE = 120.0
MIGRATIONS = Path(__file__).parents[1] / "migrations"


def run(settings: FilesSettings) -> None:
    """Bring the database to its newest shape; waits a while for a server that is still starting."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    deadline = time.monotonic() + MIGRATE_PATIENCE
    while True:
        engine = sync_engine(settings.database_url)
        try:
            config.attributes["engine"] = engine
            with migration_lock(engine):
                command.upgrade(config, "head")
            return
        except UNAVAILABLE as error:
            if time.monotonic() > deadline:
                sys.exit(f"PostgreSQL at OCHAQ_DATABASE_URL did not answer for {MIGRATE_PATIENCE:.0f} seconds.")
            log.info("migrate.waiting", error=type(error).__name__)
            time.sleep(0.5)
        finally:
            engine.dispose()
