"""Tells which conversation a request belongs to."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from schemas.chat import ChatRequest
from schemas.codec import loads

HEADERS = ("x-claude-code-session-id", "session-id", "session_id", "x-session-id", "x-grok-conv-id")
"""Where clients name their session: Claude Code, Codex, others."""
BODY_FIELDS = ("prompt_cache_key", "session_id", "conversation_id")
CONVERSATION = "x-conversation-id"
"""A conversation that the gateway keeps is a session too, when the client names no other."""
MAX_LENGTH = 512
SLICE = 64 * 1024


def session_of(request: ChatRequest, tenant: str) -> str:
    """A name, opaque and of 32 hex digits, that is the same for every turn of one conversation of one `tenant`.

    From what the client itself calls its session, else from how the conversation begins: its system prompt and the
    first thing the user said.
    """
    named = _named(request.native.headers, request.native.body)
    digest = sha256(f"{tenant}\0{'named' if named else 'begun'}".encode())
    for text in (named,) if named is not None else _beginning(request):
        digest.update(b"\0")
        # In slices, as what was said first may be large, and is in memory often enough.
        for start in range(0, len(text), SLICE):
            digest.update(text[start : start + SLICE].encode())
    return digest.hexdigest()[:32]


def is_followed(request: ChatRequest) -> bool:
    """True when the session has a place of its own by now: the client names it, or it is not the first turn.

    The same first question, asked again without a session's name, is another conversation, which may begin anywhere.
    """
    if any(message.role == "assistant" for message in request.messages):
        return True
    return _named(request.native.headers, request.native.body) is not None


def _named(headers: Mapping[str, str], body: Mapping[str, Any]) -> str | None:
    for name in HEADERS:
        if headers.get(name):
            return headers[name][:MAX_LENGTH]
    for name in BODY_FIELDS:
        value = body.get(name)
        if isinstance(value, str) and value:
            return value[:MAX_LENGTH]
    return _of_metadata(body.get("metadata")) or headers.get(CONVERSATION) or None


def _of_metadata(metadata: Any) -> str | None:
    """Claude Code writes its session into `metadata.user_id`: in JSON, in older versions behind `_session_`."""
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    if not isinstance(user, str):
        return None
    if user.startswith("{"):
        try:
            session = loads(user).get("session_id")
        except (ValueError, AttributeError):
            return None
        return session if isinstance(session, str) and session else None
    return user.partition("_session_")[2] or None


def _beginning(request: ChatRequest) -> tuple[str, ...]:
    system = next(((message.text,) for message in request.messages if message.role == "system"), ())
    return *system, next((message.text for message in request.messages if message.role == "user"), "")
