"""Requests, targets and streams for the tests of providers that speak Anthropic's Messages."""

from core import sse
from core.providers.anthropic_compatible import AnthropicCompatible
from core.providers.claude import Claude
from core.sse import Event
from schemas.chat import ChatRequest, Message, Native, TextPart
from schemas.codec import dumps, loads
from schemas.credential import Credential
from schemas.model import ModelInfo, Target
from tests.fakes import FakeClock

CREDENTIAL = Credential("claude", "sk-ant-verysecret")
ABILITIES = frozenset({"streaming", "tools", "vision", "thinking"})


def claude(**options):
    return Claude("claude", "https://api.anthropic.com", FakeClock(), **options)


def compatible(**options):
    return AnthropicCompatible("other", "https://host/anthropic", FakeClock(), **options)


def target(model="claude-opus-4-8", *, abilities=ABILITIES, **fields):
    info = ModelInfo(model, "anthropic", 200_000, fields.pop("max_output", 64_000), {}, abilities=abilities, **fields)
    return Target("claude", model, info)


def user(text="hi", **fields):
    return Message("user", (TextPart(text),), **fields)


def assistant(text="", *calls, **fields):
    return Message("assistant", (TextPart(text),) if text else (), calls, **fields)


def system(text):
    return Message("system", (TextPart(text),))


def result(call_id, *parts, **fields):
    return Message("tool", parts or (TextPart("done"),), tool_call_id=call_id, **fields)


def chat(*messages, headers=None, **fields):
    """A request of an OpenAI client."""
    native = Native("openai_chat", {}, b"{}", headers or {})
    return ChatRequest("m", messages or (user(),), native, **fields)


def native(raw, *messages, headers=None, repaired=False, **fields):
    """A request of an Anthropic client, by its body as bytes or as a value; `messages` are the canonical ones."""
    raw = raw if isinstance(raw, bytes) else dumps(raw)
    own = Native("anthropic_messages", loads(raw), b"" if repaired else raw, headers or {})
    return ChatRequest("m", messages, own, thinking_mode="blocks", **fields)


def built(request, to=None, provider=None):
    return (provider or claude()).build(request, to or target(), CREDENTIAL, "req-12345")


def body(request, to=None, provider=None):
    return loads(built(request, to, provider).body)


def event(kind, **fields):
    return Event(dumps({"type": kind, **fields}), kind)


def started(**usage):
    return event("message_start", message={"id": "msg_1", "type": "message", "content": [], "usage": usage})


def opened(index, kind, **fields):
    return event("content_block_start", index=index, content_block={"type": kind, **fields})


def delta(index, kind, **fields):
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


def closed(index):
    return event("content_block_stop", index=index)


def ended(reason="end_turn", sequence=None, **usage):
    return event("message_delta", delta={"stop_reason": reason, "stop_sequence": sequence}, usage=usage)


STOP = event("message_stop")


def wire(*events):
    return b"".join(sse.encode(one.data, one.name) for one in events)


def decoded(*events, request=None, provider=None):
    return list((provider or claude()).decode(events, request or chat()))
