"""What the worker is told from outside. The only file of this service that reads the environment."""

from __future__ import annotations

from pathlib import Path

from ochaq_shared.settings import ServiceSettings
from pydantic import Field


class WorkerSettings(ServiceSettings):
    """The shared settings, and how much work one process takes on."""

    worker_concurrency: int = Field(default=3, ge=1, le=64, description="jobs that run at the same time")
    worker_queues: str = Field(
        default="jobs.short,jobs.long",
        pattern=r"^jobs\.(short|long)(,jobs\.(short|long))?$",
        description="duration classes this process works on",
    )
    worker_memory_mb: int = Field(default=512, ge=128, description="MiB one job may have before it fails")
    worker_leave_seconds: int = Field(default=20, ge=0, le=600, description="for running jobs to end on SIGTERM")

    worker_slips_dir: Path | None = Field(
        default=None, description="shared by the workers of one machine (ochaq_worker/leases.py); else under TMPDIR"
    )

    @property
    def queues(self) -> list[str]:
        return self.worker_queues.split(",")
