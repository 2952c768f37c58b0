"""OpenAI's words for how an answer ends, in the form the client knows."""

from api.dialects.base import Reply


def finish_reason(reason: str, legacy: bool) -> str:
    """OpenAI's word for why the answer ended."""
    return "function_call" if legacy and reason == "tool_calls" else reason


def is_legacy(reply: Reply) -> bool:
    """True for a client that sent `functions`, and so expects a `function_call`."""
    return bool(reply.request.native.body.get("functions"))
