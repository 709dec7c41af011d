"""Settings every service has, and one way to load them.

A service extends `ServiceSettings` in its own `settings.py`, the only file of that service that reads the environment,
and calls `load(Settings)`. A missing or misspelt value stops the start with its name and what is wrong with it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ochaq_shared import failpoints

PREFIX = "OCHAQ_"


class ServiceSettings(BaseSettings):
    """The settings all five services share. Names in the environment start with `OCHAQ_`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", case_sensitive=False)

    mode: Literal["demo", "production", "test"]
    public_url: str = Field(pattern=r"^https?://[^/]+$", description="as browsers see the gateway, no trailing slash")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    bind_host: str = "127.0.0.1"
    bind_port: int = Field(ge=1, le=65535)
    signing_key_file: Path
    jwks_file: Path
    amqp_url: str = Field(pattern=r"^amqps?://")
    redis_url: str = Field(pattern=r"^(redis|rediss|unix)://")
    web_url: str = Field(pattern=r"^https?://[^/]+$")
    files_url: str = Field(pattern=r"^https?://[^/]+$")
    search_url: str = Field(pattern=r"^https?://[^/]+$")
    realtime_url: str = Field(pattern=r"^https?://[^/]+$")
    resend_after_seconds: float = Field(
        default=300, gt=0, description="age at which the relay asks whether an event was handled, and sends it again"
    )
    failpoints_file: Path | None = Field(default=None, description="faults to inject, in mode test only")

    @field_validator("failpoints_file")
    @classmethod
    def _faults_in_tests_only(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is not None and info.data.get("mode") != "test":
            raise ValueError("failpoints are refused outside OCHAQ_MODE=test")
        return path


Settings = TypeVar("Settings", bound=BaseSettings)


def load(model: type[Settings]) -> Settings:
    """Build the settings from the environment, or end the process with one sentence per wrong setting (exit 2).

    Failpoints are switched on here, so that no process of a test can forget them.
    """
    try:
        settings = model()
    except ValidationError as error:
        for line in explain(error):
            sys.stderr.write(f"{line}\n")
        sys.exit(2)
    failpoints.configure(getattr(settings, "failpoints_file", None))
    return settings


def explain(error: ValidationError) -> list[str]:
    """One sentence for each wrong setting: its name in the environment, what is wrong, how to mend it."""
    return [_sentence(str(item["loc"][0]) if item["loc"] else "", item["type"], item["msg"]) for item in error.errors()]


def _sentence(field: str, kind: str, message: str) -> str:
    name = f"{PREFIX}{field.upper()}"
    if kind == "missing":
        near = [key for key in os.environ if key.startswith(PREFIX) and _similar(key, name)]
        hint = f" (is {near[0]} a misspelling of it?)" if near else ""
        return f"{name} is not set{hint}; see .env.example for what it means."
    return f"{name} is wrong: {message}; see .env.example for what it means."


def _similar(left: str, right: str) -> bool:
    from difflib import SequenceMatcher

    return left != right and SequenceMatcher(None, left, right).ratio() > 0.9
