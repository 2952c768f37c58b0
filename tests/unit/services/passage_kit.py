"""An answer's whole way from a provider's bytes to the client's: decoded, gated, staged, and written in its dialect."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from api.dialects.anthropic_messages import AnthropicMessages
from api.dialects.base import Dialect, Inbound, Reply
from api.dialects.openai_chat import OpenAIChat
from config.settings import ContentFilterSettings, FilterPattern, PipelineSettings
from core import sse
from core.counting import TokenCounter
from core.pipeline import Pipeline
from core.pipeline.collect import collect
from core.providers.base import Provider
from core.providers.claude import Claude
from core.providers.glm import GLM
from core.providers.openai_compatible import OpenAICompatible
from core.sse import Event
from schemas.chat import ChatRequest, ThinkingMode
from schemas.codec import dumps, loads
from schemas.stream import ChatChunk
from services.gate import gated
from tests.fakes import FakeClock

Json = dict[str, Any]

CLAUDE = Claude("claude", "https://api.anthropic.com", FakeClock())
GLM_API = GLM("glm", "https://api.z.ai/api/paas/v4", FakeClock())
VENDOR = OpenAICompatible("vendor", "https://host/v1", FakeClock())
DONE = Event(b"[DONE]")
SECRET = FilterPattern(name="secret", pattern="bomb", replacement="****", max_length=4)
COUNTER = TokenCounter()


def plain() -> Pipeline:
    """A pipeline that searches nothing."""
    return Pipeline(PipelineSettings(), COUNTER)


def searching(pattern: FilterPattern = SECRET) -> Pipeline:
    """A pipeline that looks for `pattern`."""
    return Pipeline(PipelineSettings(content_filter=ContentFilterSettings(patterns=(pattern,))), COUNTER)


class Passage:
    """The way of the answers of `provider` to a client; `fields` are the request's."""

    def __init__(
        self, provider: Provider, dialect: Dialect, pipeline: Pipeline, mode: ThinkingMode, **fields: Any
    ) -> None:
        self._provider = provider
        self._dialect = dialect
        self._pipeline = pipeline
        body = {"model": "asked", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}], **fields}
        parsed = dialect.parse(Inbound(body, dumps(body), {}, "default", mode))
        self.request: ChatRequest = pipeline.prepare(replace(parsed))

    def _chunks(self, events: Iterable[Event]) -> Iterable[ChatChunk]:
        decoded = self._provider.decode(events, self.request)
        return self._pipeline.process(self.request, gated(decoded, lambda: None))

    @property
    def _reply(self) -> Reply:
        return Reply("made-here", 1_795_200_000, self.request)

    def whole(self, body: Json) -> Any:
        """The body that the client gets of a whole answer."""
        answer = collect(self._chunks([Event(dumps(body), "body")]))
        return loads(self._dialect.render(answer, self._reply))

    def folded(self, *events: Event) -> Any:
        """The body that the client gets of a streamed answer."""
        return loads(self._dialect.render(collect(self._chunks(events)), self._reply))

    def streamed(self, *events: Event) -> list[Event]:
        """The events that the client gets."""
        return list(sse.decode(self._dialect.frames(self._chunks(events), self._reply)))


def to_openai(
    provider: Provider = VENDOR, pipeline: Pipeline | None = None, mode: ThinkingMode = "tags", **fields: Any
) -> Passage:
    """The way to a client of OpenAI's Chat Completions."""
    return Passage(provider, OpenAIChat(), pipeline or plain(), mode, **fields)


def to_anthropic(provider: Provider = CLAUDE, pipeline: Pipeline | None = None, **fields: Any) -> Passage:
    """The way to a client of Anthropic's Messages."""
    return Passage(provider, AnthropicMessages(), pipeline or plain(), "tags", **fields)


def frame(finish: str | None = None, /, index: int = 0, **delta: Any) -> Event:
    """One chunk of OpenAI's form."""
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    known = {"id": "up-1", "object": "chat.completion.chunk", "created": 7, "model": "vendor"}
    return Event(dumps({**known, "choices": [choice]}))


def body(message: Json, finish: str = "stop", **more: Any) -> Json:
    """A whole answer of OpenAI's form."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "logprobs": None, "finish_reason": finish}
    return {"id": "up-1", "object": "chat.completion", "created": 7, "model": "vendor", "choices": [choice], **more}


def values(events: list[Event]) -> list[Json]:
    """The chunks of a stream of OpenAI's form, which must end with `[DONE]`."""
    assert events[-1].data == b"[DONE]"
    return [loads(event.data) for event in events[:-1]]


def deltas(events: list[Event]) -> list[Json]:
    """The deltas of a stream of OpenAI's form that say anything beside the role."""
    told = [value["choices"][0]["delta"] for value in values(events) if value["choices"]]
    return [said for delta in told if (said := {name: field for name, field in delta.items() if name != "role"})]


def reasons(events: list[Event]) -> list[str]:
    """The finish reasons of a stream of OpenAI's form."""
    told = [value["choices"][0]["finish_reason"] for value in values(events) if value["choices"]]
    return [reason for reason in told if reason is not None]
