"""What the worker is told from outside. The only file of this service that reads the environment."""

from __future__ import annotations

from ochaq_shared.settings import ServiceSettings
from pydantic import Field


class WorkerSettings(ServiceSettings):
    """The shared settings, and how much work one process takes on."""

    worker_concurrency: int = Field(default=2, ge=1, le=64, description="jobs that run at the same time")
    worker_queues: str = Field(
        default="jobs.short,jobs.long",
        pattern=r"^jobs\.(short|long)(,jobs\.(short|long))?$",
        description="duration classes this process works on",
    )

    @property
    def queues(self) -> list[str]:
        return self.worker_queues.split(",")
