"""The environment of the web service: the only file here that reads it, and it does not need Django.

`relay` uses it without ever importing Django, which keeps that process small.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Self

from ochaq_shared.settings import ServiceSettings, load
from pydantic import Field, SecretStr, model_validator


class WebSettings(ServiceSettings):
    """What web needs besides the settings that all services share."""

    database_url: str = Field(pattern=r"^postgres(ql)?://")
    cache_url: str = Field(
        pattern=r"^(redis|rediss|unix)://", description="a Redis database of its own for cached pages"
    )
    secret_key: SecretStr = Field(min_length=32, description="signs cursors, CSRF tokens and password-reset links")
    static_root: Path = Field(description="where `manage collectstatic` puts what the gateway serves")
    demo_password: SecretStr | None = None
    web_workers: int = Field(default=1, ge=1, le=16)
    web_threads: int = Field(default=4, ge=1, le=64)
    status_file: Path | None = Field(default=None, description="processes.json of the local supervisor, for /ops/")
    email_host: str = ""
    email_port: int = Field(default=25, ge=1, le=65535)
    email_from: str = "ochaq@localhost"

    @model_validator(mode="after")
    def _demo_password_never_in_production(self) -> Self:
        if self.mode == "demo" and self.demo_password is None:
            raise ValueError("OCHAQ_DEMO_PASSWORD is required in demo mode")
        if self.mode == "production" and self.demo_password is not None:
            raise ValueError("OCHAQ_DEMO_PASSWORD is refused in mode production")
        return self

    @property
    def https(self) -> bool:
        """Whether browsers reach us over TLS; decides the cookies' names and flags."""
        return self.public_url.startswith("https://")


@cache
def environment() -> WebSettings:
    """The settings of this process, read once."""
    return load(WebSettings)
