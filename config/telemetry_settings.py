"""Where traces go, and which."""

from pydantic import Field, SecretStr, field_validator

from config.group import Group, Seconds
from config.header_check import sendable


class TelemetrySettings(Group):
    """Requests are traced when `endpoint` is set: the address of an OTLP/HTTP collector, without `/v1/traces`.

    `headers` are sent to it. `sample` is the share of the traces that begin here; of one that began elsewhere it was
    decided there. `follow` goes on with the trace that a client names in `traceparent`, `propagate` names it to the
    providers. Spans wait in a queue of `queue` until they are sent; the newest are kept.
    """

    endpoint: str | None = Field(None, pattern=r"^https?://")
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    service_name: str = Field("glm-gateway", min_length=1, max_length=200)
    sample: float = Field(1.0, ge=0, le=1)
    follow: bool = True
    propagate: bool = False
    timeout: Seconds = 5
    queue: int = Field(4096, ge=1, le=1_000_000)

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        return sendable(headers)
