"""Short ways to write a chat.z.ai stream and to read what it decodes to."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from core.providers.glm_web import GLMWeb
from core.sse import Event
from schemas.chat import ChatRequest, Native, Tool, ToolChoice
from schemas.codec import dumps
from schemas.stream import ReasoningDelta, TextDelta, ToolCallDelta
from tests.fakes import FakeClock

RECORDINGS = Path(__file__).parents[2] / "recordings"
THINKING = (RECORDINGS / "glm_web_thinking.sse").read_bytes()
TOOLS = (RECORDINGS / "glm_web_tools.sse").read_bytes()
DETAILS = '<details type="reasoning" done="false">\n<summary>Thinking…</summary>\n> '
END = {"done": True, "delta_content": "", "phase": "done"}


def a_request(*tools: str, choice: ToolChoice | None = None) -> ChatRequest:
    offered = tuple(Tool(name) for name in tools)
    return ChatRequest("glm-4.6", (), Native("openai_chat", {}), tools=offered, tool_choice=choice)


def a_provider(clock: FakeClock | None = None) -> GLMWeb:
    return GLMWeb("glm-web", "https://chat.z.ai/api/chat/completions", clock or FakeClock())


def event(**inner: Any) -> Event:
    return Event(dumps({"type": "chat:completion", "data": inner}))


def said(text: str, phase: str = "answer") -> Event:
    return event(delta_content=text, phase=phase)


def edit(index: int, text: str, phase: str = "answer") -> Event:
    return event(edit_index=index, edit_content=text, phase=phase)


def chunks(events: Iterable[Event], *tools: str) -> list[Any]:
    return list(a_provider().decode(events, a_request(*tools)))


def texts(events: Iterable[Event]) -> tuple[str, str]:
    """Reasoning and answer."""
    found = chunks([*events, event(**END)])
    return (
        "".join(chunk.text for chunk in found if isinstance(chunk, ReasoningDelta)),
        "".join(chunk.text for chunk in found if isinstance(chunk, TextDelta)),
    )


def calls(events: Iterable[Event], *tools: str) -> list[Any]:
    return [chunk for chunk in chunks([*events, event(**END)], *tools) if isinstance(chunk, ToolCallDelta)]


def block(name: str, metadata: Mapping[str, Any]) -> str:
    return f'<glm_block tool_call_name="{name}">{dumps({"data": {"metadata": metadata}}).decode()}</glm_block>'
