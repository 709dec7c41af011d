"""The settings of the files service: the only file of it that reads the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from ochaq_shared.settings import ServiceSettings
from pydantic import Field, model_validator

MIB = 1024 * 1024


class FilesSettings(ServiceSettings):
    """Everything an operator can change about files, beside what all services share."""

    database_url: str = Field(pattern=r"^postgres(ql)?://")

    object_store: Literal["local", "s3"]
    object_dir: Path | None = Field(None, description="directory of the local object store")
    spool_dir: Path = Field(description="big uploads lie here until they are stored; best on the object store's disk")
    s3_endpoint: str | None = Field(None, pattern=r"^https?://[^/]+$")
    s3_bucket: str | None = None
    s3_access_key: str | None = None
    s3_secret_key: str | None = None
    s3_region: str = "us-east-1"

    max_upload_bytes: int = Field(4096 * MIB, ge=1)
    sendfile: bool = Field(False, description="let the gateway send local objects by X-Accel-Redirect")

    claim_lease_seconds: float = Field(
        20, gt=0, description="how long a stalled upload keeps others of its content waiting"
    )
    sweep_interval_seconds: float = Field(15, gt=0)
    stalled_after_seconds: float = Field(
        120, gt=0, description="a file unprocessed for this long is processed by the sweep"
    )
    orphan_grace_seconds: float = Field(3600, ge=0, description="age at which an object that no row knows is removed")
    orphan_interval_seconds: float = Field(3600, gt=0)
    manifest_hours: float = Field(24, gt=0, description="how long an interrupted archive download can be resumed")

    @model_validator(mode="after")
    def _store_is_complete(self) -> Self:
        if self.object_store == "local":
            self._require("object_dir")
        else:
            self._require("s3_endpoint", "s3_bucket", "s3_access_key", "s3_secret_key")
        return self

    def _require(self, *names: str) -> None:
        missing = [f"OCHAQ_{name.upper()}" for name in names if getattr(self, name) is None]
        if missing:
            raise ValueError(f"OCHAQ_OBJECT_STORE={self.object_store} also needs {', '.join(missing)}")
