"""What the tests of the Ollama provider share: requests as they are sent, and answers as they are read."""

from typing import Any

from core.providers.ollama import Ollama
from core.sse import Event
from schemas.chat import ChatRequest, Message, Native, TextPart
from schemas.codec import dumps, loads
from schemas.credential import Credential
from schemas.model import ModelInfo, Target
from tests.fakes import FakeClock

BASE = "http://localhost:11434"
KEYLESS = Credential("ollama", "")
NATIVE = Native("openai_chat", {})


def provider(base_url=BASE, headers=None):
    return Ollama("ollama", base_url, FakeClock(), headers)


def user(*parts):
    return Message("user", tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


def target(model="qwen3:8b", control="none", abilities=(), max_output=0, refuses=()):
    info = ModelInfo(
        "m", "library", 0, max_output, {}, abilities=frozenset(abilities), thinking=control, refuses=frozenset(refuses)
    )
    return Target("ollama", model, info)


def request(*messages, **fields):
    return ChatRequest("m", messages or (user("hi"),), NATIVE, **fields)


def sent(*messages, to=None, **fields) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The parsed body, with the dropped names."""
    built = provider().build(request(*messages, **fields), to or target(), KEYLESS, "req-1")
    return loads(built.body), built.dropped


def line(*, done=None, reason=None, calls=None, **message):
    """One line of an answer as an event; `done` and `reason` are those of its end."""
    frame: dict[str, Any] = {"model": "m", "created_at": "2026-11-21T10:00:00Z"}
    said = {"role": "assistant", "content": "", **message}
    frame["message"] = said if calls is None else {**said, "tool_calls": calls}
    frame["done"] = done is not None
    if done is not None:
        frame |= done
    if reason is not None:
        frame |= {"done_reason": reason}
    return Event(dumps(frame), "line")


def decoded(*events):
    return list(provider().decode(events, request()))
