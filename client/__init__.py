"""A client for worker processes: one call that retries, falls back, and says clearly why it could not be answered."""

from client.errors import (
    BudgetExceeded,
    Forbidden,
    GatewayClientError,
    InvalidRequest,
    RateLimited,
    StreamBroken,
    TimedOut,
    Unauthorized,
    Unreachable,
    UpstreamFailed,
)
from client.gateway_client import GatewayClient
from client.policy import RetryPolicy
from client.replies import ChatReply, Delta, EmbeddingReply, ReasoningDelta, TextDelta, ToolCall, ToolCallDelta, Usage
from client.streams import ChatStream

__all__ = [
    "BudgetExceeded",
    "ChatReply",
    "ChatStream",
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
    "Unauthorized",
    "Unreachable",
    "UpstreamFailed",
    "Usage",
]
