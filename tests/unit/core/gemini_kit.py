"""What the tests of the Gemini provider share: requests as they are sent, and answers as they are read."""

from typing import Any

from core.providers.gemini import Gemini
from core.sse import Event
from schemas.chat import ChatRequest, Message, Native, TextPart
from schemas.codec import dumps, loads
from schemas.credential import Credential
from schemas.model import ModelInfo, Target
from tests.fakes import FakeClock

BASE = "https://generativelanguage.googleapis.com/v1beta"
KEY = "AIzaSy-0123456789abcdefghijklmnopqrstu"
CREDENTIAL = Credential("gemini", KEY)
NATIVE = Native("anthropic_messages", {})


def provider(base_url=BASE, headers=None):
    return Gemini("gemini", base_url, FakeClock(), headers)


def user(*parts):
    return Message("user", tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


def target(model="gemini-3.7-flash", control="forced", abilities=(), max_output=65_536, refuses=()):
    info = ModelInfo(
        "m",
        "google",
        1_000_000,
        max_output,
        {},
        abilities=frozenset(abilities),
        thinking=control,
        refuses=frozenset(refuses),
    )
    return Target("gemini", model, info)


def request(*messages, **fields):
    fields.setdefault("thinking_mode", "hide")
    return ChatRequest("m", messages or (user("hi"),), NATIVE, **fields)


def sent(*messages, to=None, **fields) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The parsed body, with the dropped names."""
    built = provider().build(request(*messages, **fields), to or target(), CREDENTIAL, "req-1")
    return loads(built.body), built.dropped


def event(*parts, finish=None, **frame):
    """A GenerateContentResponse with these parts."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    return Event(
        dumps({"candidates": [candidate if finish is None else {**candidate, "finishReason": finish}], **frame})
    )


def decoded(*events):
    return list(provider().decode(events, request()))
