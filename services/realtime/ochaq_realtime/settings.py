"""The settings of the realtime service: the only file here that reads the environment."""

from __future__ import annotations

from typing import Literal

from ochaq_shared.settings import ServiceSettings
from pydantic import Field


class RealtimeSettings(ServiceSettings):
    """Everything the realtime service can be told."""

    realtime_server: Literal["daphne", "uvicorn"] = "daphne"
    allowed_origins: str = Field("", description="comma list of origins; the public URL when empty")
    heartbeat_seconds: int = Field(25, ge=1, le=60, description="a ping on every socket; below the gateway's 75 s")
    max_message_bytes: int = Field(16384, ge=512)
    max_messages_per_second: int = Field(20, ge=1)
    max_outbound_bytes: int = Field(262144, ge=16384, description="unsent bytes before a slow reader is cut")
    drain_seconds: float = Field(5.0, ge=0, le=30, description="how long SIGTERM spreads its closing over")

    @property
    def origins(self) -> frozenset[str]:
        """Exact origins whose pages may open a socket."""
        named = (origin.strip() for origin in self.allowed_origins.split(","))
        return frozenset(origin for origin in named if origin) or frozenset({self.public_url})
