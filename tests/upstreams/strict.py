"""Refuses what a provider would refuse of a chat's body, so that a wrong translation does not pass for a right one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.upstreams import strict_anthropic, strict_gemini, strict_openai
from tests.upstreams.answers import glm_error
from tests.upstreams.anthropic_answers import anthropic_error
from tests.upstreams.gemini_answers import gemini_error
from tests.upstreams.openai_answers import openai_error
from tests.upstreams.steps import Step
from tests.upstreams.wire import Request

CLAUDES = frozenset({"anthropic", "anthropic-compatible", "glm-anthropic"})
CHATS = ("/v1/messages", "/chat/completions", ":streamGenerateContent?alt=sse")
"""How the paths of chats end whose bodies are looked at."""


def refusal(kind: str, request: Request) -> Sequence[Step] | None:
    """The error of the provider `kind` for what is wrong with `request`; None when nothing is, or nobody looks."""
    if request.method != "POST" or not request.path.endswith(CHATS):
        return None
    wrong = "; ".join(problems(kind, request.body))
    return _error(kind, f"strict: {wrong}") if wrong else None


def problems(kind: str, body: Mapping[str, Any]) -> Iterator[str]:
    """What the provider `kind` would not take, in words."""
    if kind in CLAUDES:
        return strict_anthropic.problems(body)
    if kind == "gemini":
        return strict_gemini.problems(body)
    return strict_openai.problems(strict_openai.VENDORS[kind], body)


def _error(kind: str, said: str) -> Sequence[Step]:
    if kind in CLAUDES:
        return anthropic_error("invalid_request_error", 400, said)
    if kind == "gemini":
        return gemini_error(400, "INVALID_ARGUMENT", said)
    return glm_error("1210", 400, said) if kind == "glm" else openai_error(400, message=said)
