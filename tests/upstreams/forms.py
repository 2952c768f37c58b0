"""The forms in which providers answer, each with the same things to say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.upstreams import anthropic_answers as anthropic
from tests.upstreams import gemini_answers as gemini
from tests.upstreams import ollama_answers as ollama
from tests.upstreams import openai_answers as openai
from tests.upstreams.answers import glm_body, glm_stream
from tests.upstreams.steps import SSE, Step, stream, whole
from tests.upstreams.wire import Request

SAME_WORDS = {"stop": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter"}


@dataclass(frozen=True)
class Form:
    """One form. `events` and `body` take (text, reasoning, tool_calls, usage, finish_reason) and options.

    `words` are the form's own for why an answer ends, by OpenAI's word; one that is missing cannot be said.
    `terminator` is what may be missing at the end, and `always_streams` that a request does not say whether to stream.
    """

    name: str
    events: Callable[..., list[bytes]]
    body: Callable[..., bytes]
    words: Mapping[str, str]
    headers: Mapping[str, str]
    terminator: bytes = b""
    always_streams: bool = False

    def streams(self, request: Request) -> bool:
        """True when `request` asks for a stream."""
        return self.always_streams or bool(request.body.get("stream"))

    def answer(self, request: Request, *arguments: Any, **options: Any) -> list[Step]:
        """The answer in the way that `request` asks for."""
        if self.streams(request):
            return stream(self.events(*arguments, **options), headers=self.headers)
        options.pop("piece", None)
        return whole(self.body(*arguments, **options))


_CLAUDES = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_GOOGLES = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}

ANTHROPIC = Form(
    "anthropic", anthropic.anthropic_stream, anthropic.anthropic_body, _CLAUDES, SSE, terminator=anthropic.STOP
)
GLM_ANTHROPIC = Form(
    "glm-anthropic", anthropic.glm_anthropic_stream, anthropic.anthropic_body, _CLAUDES, SSE, terminator=anthropic.STOP
)
OPENAI = Form("openai", openai.openai_stream, openai.openai_body, SAME_WORDS, SSE, terminator=b"data: [DONE]\n\n")
GROQ = Form("groq", openai.groq_stream, openai.openai_body, SAME_WORDS, SSE, terminator=b"data: [DONE]\n\n")
GROK = Form("grok", openai.grok_stream, openai.grok_body, SAME_WORDS, SSE, terminator=b"data: [DONE]\n\n")
DEEPSEEK = Form(
    "deepseek", openai.deepseek_stream, openai.deepseek_body, SAME_WORDS, SSE, terminator=b"data: [DONE]\n\n"
)
OPENROUTER = Form(
    "openrouter", openai.openrouter_stream, openai.openai_body, SAME_WORDS, SSE, terminator=b"data: [DONE]\n\n"
)
GLM = Form(
    "glm", glm_stream, glm_body, {**SAME_WORDS, "content_filter": "sensitive"}, SSE, terminator=b"data: [DONE]\n\n"
)
GEMINI = Form("gemini", gemini.gemini_stream, gemini.gemini_body, _GOOGLES, SSE, always_streams=True)
OLLAMA = Form(
    "ollama",
    ollama.ollama_stream,
    ollama.ollama_body,
    {"stop": "stop", "length": "length", "tool_calls": "stop"},
    ollama.NDJSON,
)
