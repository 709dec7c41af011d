"""What the processes with a database and an object store are wired from."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ochaq_shared.health import Health

from ochaq_files.processes.running import SERVICE
from ochaq_files.settings import FilesSettings
from ochaq_files.storage.database import check
from ochaq_files.storage.objects import LocalObjects, Objects


def build_objects(settings: FilesSettings) -> Objects:
    """The object store that the settings name; they were checked to be complete."""
    if settings.object_store == "local":
        return LocalObjects(Path(str(settings.object_dir)), sendfile=settings.sendfile)
    # A house without S3 does not load its client.
    from ochaq_files.storage.objects.s3 import S3Objects

    return S3Objects(
        endpoint=str(settings.s3_endpoint),
        bucket=str(settings.s3_bucket),
        access_key=str(settings.s3_access_key),
        secret_key=str(settings.s3_secret_key),
        region=settings.s3_region,
    )


def build_health(settings: FilesSettings, process: str, objects: Objects, stall_after: float | None = None) -> Health:
    """The health of a process that needs the database and the object store."""
    health = Health(SERVICE, process, stall_after=stall_after)
    health.check("postgres", partial(check, settings.database_url))
    health.check("objects", objects.check)
    return health
