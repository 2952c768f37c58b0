"""The beta features that each kind of Anthropic-form endpoint is known to take.

(https://platform.claude.com/docs/en/api/beta-headers)
"""

from core.providers.draft import Draft

HEADER = "anthropic-beta"
ALL = "*"
"""In a set of flags: every flag goes through."""

COMPATIBLE = frozenset({"fine-grained-tool-streaming-2025-05-14", "interleaved-thinking-2025-05-14"})
"""What an endpoint that is not Anthropic's may have heard of."""

CLAUDE = COMPATIBLE | frozenset(
    {
        "advanced-tool-use-2025-11-20",
        "advisor-tool-2026-03-01",
        "cache-diagnosis-2026-04-07",
        "claude-code-20250219",
        "code-execution-2025-05-22",
        "code-execution-2025-08-25",
        "computer-use-2024-10-22",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "dev-full-thinking-2025-05-14",
        "effort-2025-11-24",
        "extended-cache-ttl-2025-04-11",
        "fast-mode-2026-02-01",
        "files-api-2025-04-14",
        "mcp-client-2025-04-04",
        "mcp-client-2025-11-20",
        "message-batches-2024-09-24",
        "mid-conversation-tool-changes-2026-07-01",
        "model-context-window-exceeded-2025-08-26",
        "oauth-2025-04-20",
        "output-128k-2025-02-19",
        "output-300k-2026-03-24",
        "pdfs-2024-09-25",
        "per-turn-control-2026-07-01",
        "prompt-caching-2024-07-31",
        "skills-2025-10-02",
        "structured-outputs-2025-11-13",
        "thinking-token-count-2026-05-13",
        "token-counting-2024-11-01",
        "token-efficient-tools-2025-02-19",
        "user-profiles-2026-03-24",
        "web-fetch-2025-09-10",
    }
)
"""Anthropic's own; it answers a flag that it does not know with an error, so that only known ones are sent."""


def beta_header(draft: Draft, allowed: frozenset[str]) -> dict[str, str]:
    """The header with those of the client's flags that are `allowed`; the others are dropped by name."""
    flags = [flag.strip() for flag in draft.request.native.headers.get(HEADER, "").split(",")]
    known: dict[str, None] = {}
    for flag in filter(None, flags):
        if flag in allowed or ALL in allowed:
            known[flag] = None
        else:
            draft.drop(f"{HEADER}.{flag}")
    return {HEADER: ",".join(known)} if known else {}
