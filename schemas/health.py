"""How the gateway is."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

HealthStatus = Literal["healthy", "degraded", "unhealthy"]


class HealthCheck(BaseModel):
    """One thing that was looked at: how it is, why, and the figures behind that."""

    status: HealthStatus
    reason: str
    figures: dict[str, Any] = {}


class HealthResponse(BaseModel):
    """As bad as the worst of its checks."""

    status: HealthStatus
    timestamp: datetime
    uptime_seconds: float
    checks: dict[str, HealthCheck]
