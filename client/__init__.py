"""A client for worker processes: one call that retries, falls back, and says clearly why it could not be answered."""

from .errors import (
    BudgetExceeded,
    Conflict,
    Forbidden,
    GatewayClientError,
    InvalidRequest,
    RateLimited,
    StreamBroken,
    TimedOut,
    Tried,
    Unauthorized,
    Unreachable,
    UpstreamFailed,
)
from .gateway_client import GatewayClient
from .policy import RetryPolicy
from .replies import ChatReply, Delta, EmbeddingReply, ReasoningDelta, TextDelta, ToolCall, ToolCallDelta, Usage
from .streams import ChatStream

__all__ = [
    "BudgetExceeded",
    "ChatReply",
    "ChatStream",
    "Conflict",
    "Delta",
    "EmbeddingReply",
    "Forbidden",
    "GatewayClient",
    "GatewayClientError",
    "InvalidRequest",
    "RateLimited",
    "ReasoningDelta",
    "RetryPolicy",
    "StreamBroken",
    "TextDelta",
    "TimedOut",
    "ToolCall",
    "ToolCallDelta",
    "Tried",
    "Unauthorized",
    "Unreachable",
    "UpstreamFailed",
    "Usage",
]
