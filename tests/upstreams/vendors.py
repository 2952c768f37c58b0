"""How each maker of a prompt cache counts, tells and refuses."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.upstreams import forms
from tests.upstreams.allowance import Allowance
from tests.upstreams.answers import glm_error
from tests.upstreams.anthropic_answers import anthropic_error
from tests.upstreams.forms import Form
from tests.upstreams.openai_answers import openai_error
from tests.upstreams.prefix_cache import Counted, PrefixCache, Scope, at_marks, blocks_of, in_steps, steps_of
from tests.upstreams.steps import Head, Step
from tests.upstreams.wire import Request

Json = Mapping[str, Any]
ANTHROPIC_LOOK_BACK, OPENAI_LOOK_BACK = 20, 80
ANTHROPIC_LIVES, OPENAI_LIVES = {"5m": 300.0, "1h": 3600.0}, {"30m": 1800.0, "12h": 43_200.0}
AUTOMATIC_LIFE = 300.0
OPENAI_MINIMUM, OPENAI_STEP, GLM_STEP = 1024, 128, 64
MINIMA = (("sonnet-5-5", 512), ("sonnet", 1024), ("opus-4-8", 1024), ("opus-4-7", 2048), ("-4", 4096))
"""The shortest prompt that Claude keeps, by what stands in a model's name; the first that fits counts, 512 for none."""
OUTPUT = 9
BILLING = "x-anthropic-billing-header"
"""How the block begins that Claude Code changes with every request, and that is no part of a prompt."""


@dataclass(frozen=True)
class Vendor:
    """One maker: how its answers look, what they say, and what it makes of a body.

    `count` takes (cache, account, body) and `usage` what was counted. The refusals are for one who is too fast and
    should wait so many seconds, who has no money, and who meets a failure.
    """

    form: Form
    says: str
    key: Callable[[Request], str]
    count: Callable[[PrefixCache, str, Json], Counted]
    usage: Callable[[Counted], dict[str, Any]]
    bare_usage: Callable[[Counted], dict[str, Any]]
    slow: Callable[[int], list[Step]]
    poor: Callable[[], list[Step]]
    broken: Callable[[], list[Step]]
    headers: Callable[[Allowance], Mapping[str, str]]


def scope_of(account: str, body: Json, *fields: str) -> Scope:
    """Whose cache it is: the account's for this model, and for these other fields."""
    return (account, body["model"], *(json.dumps(body.get(name)) for name in fields))


# Anthropic


def anthropic_count(cache: PrefixCache, account: str, body: Json) -> Counted:
    """By the marks of the body, its own included, which stands for one at the end."""
    parts = list(_anthropic_parts(body))
    if "cache_control" in body:
        parts[-1] = (parts[-1][0], body["cache_control"].get("ttl", ""))
    minimum = next((tokens for name, tokens in MINIMA if name in body["model"]), 512)
    scope = scope_of(account, body, "speed", "output_config")
    return at_marks(cache, scope, blocks_of(parts), minimum, ANTHROPIC_LOOK_BACK, ANTHROPIC_LIVES)


def anthropic_usage(counted: Counted) -> dict[str, Any]:
    """What was read and written stands beside the input."""
    written = {f"ephemeral_{ttl}_input_tokens": counted.written.get(ttl, 0) for ttl in ANTHROPIC_LIVES}
    caches = {"cache_creation_input_tokens": sum(written.values()), "cache_read_input_tokens": counted.read}
    return {"input_tokens": counted.uncached, **caches, "cache_creation": written, "output_tokens": OUTPUT}


def _anthropic_parts(body: Json) -> Iterator[tuple[str, str | None]]:
    for tool in body.get("tools") or ():
        yield _part("tool", tool)
    for block in _texts(body.get("system") or []):
        if not block.get("text", "").startswith(BILLING):
            yield _part("system", block)
    for turn in body["messages"]:
        for block in _texts(turn["content"]):
            yield _part(turn["role"], block)


# OpenAI and GLM


def openai_count(cache: PrefixCache, account: str, body: Json) -> Counted:
    """From gpt-5.6 on by marks, of which the end of the prompt is one; before in steps, by themselves."""
    if _is_modern(body["model"]):
        parts = [_part("tool", tool) for tool in body.get("tools") or ()]
        parts += [_part(turn["role"], block) for turn in body["messages"] for block in _texts(turn["content"])]
        parts[-1] = (parts[-1][0], parts[-1][1] or "")
        scope = scope_of(account, body, "reasoning_effort", "verbosity", "service_tier")
        return at_marks(cache, scope, blocks_of(parts), OPENAI_MINIMUM, OPENAI_LOOK_BACK, OPENAI_LIVES)
    return _automatic(cache, account, body, OPENAI_STEP, OPENAI_MINIMUM)


def glm_count(cache: PrefixCache, account: str, body: Json) -> Counted:
    """In steps, by itself, and however short it is."""
    return _automatic(cache, account, body, GLM_STEP, GLM_STEP)


def openai_usage(counted: Counted) -> dict[str, Any]:
    """What was read and written is part of the prompt. Who charges nothing for writing tells nothing of it."""
    details: dict[str, Any] = {"cached_tokens": counted.read, "audio_tokens": 0}
    if counted.written:
        details["cache_write_tokens"] = sum(counted.written.values())
        details["cache_write_tokens_details"] = {
            f"ttl_{ttl}_tokens": counted.written.get(ttl, 0) for ttl in OPENAI_LIVES
        }
    return {**_bare(counted), "prompt_tokens_details": details}


def _automatic(cache: PrefixCache, account: str, body: Json, step: int, minimum: int) -> Counted:
    text = json.dumps([body.get("tools"), body["messages"]])[:-2]  # up to what the next turn goes on from
    blocks, total = steps_of(text, step)
    return in_steps(cache, scope_of(account, body), blocks, total, minimum, AUTOMATIC_LIFE)


def _is_modern(model: str) -> bool:
    version = re.match(r"gpt-(\d+)(?:\.(\d+))?", model)
    return version is not None and (int(version[1]), int(version[2] or 0)) >= (5, 6)


def _bare(counted: Counted) -> dict[str, Any]:
    total = counted.total
    return {"prompt_tokens": total, "completion_tokens": OUTPUT, "total_tokens": total + OUTPUT}


# Both


def _texts(content: Any) -> Sequence[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _part(role: str, block: Json) -> tuple[str, str | None]:
    mark = next((block[name] for name in ("cache_control", "prompt_cache_breakpoint") if block.get(name)), None)
    bare = {name: value for name, value in block.items() if name not in ("cache_control", "prompt_cache_breakpoint")}
    return role + json.dumps(bare), None if mark is None else mark.get("ttl", "")


def with_headers(steps: Sequence[Step], headers: Mapping[str, str]) -> list[Step]:
    """The same answer with more headers."""
    return [
        Head(step.status, {**step.headers, **headers}, step.length, step.until_close)
        if isinstance(step, Head)
        else step
        for step in steps
    ]


ANTHROPIC = Vendor(
    form=forms.ANTHROPIC,
    says="I am Claude.",
    key=lambda request: request.headers.get("x-api-key", ""),
    count=anthropic_count,
    usage=anthropic_usage,
    bare_usage=lambda counted: {"input_tokens": counted.total, "output_tokens": OUTPUT},
    slow=lambda seconds: anthropic_error("rate_limit_error", 429, headers={"retry-after": str(seconds)}),
    poor=lambda: anthropic_error("billing_error", 402, "Your credit balance is too low to access the Anthropic API."),
    broken=lambda: anthropic_error("api_error", 500),
    headers=Allowance.anthropic_headers,
)
OPENAI = Vendor(
    form=forms.OPENAI,
    says="I am GPT.",
    key=lambda request: request.bearer,
    count=openai_count,
    usage=openai_usage,
    bare_usage=_bare,
    slow=lambda seconds: openai_error(429, "tokens", "rate_limit_exceeded", headers={"retry-after": str(seconds)}),
    poor=lambda: openai_error(429, "insufficient_quota", "insufficient_quota"),
    broken=lambda: openai_error(500, "server_error"),
    headers=Allowance.openai_headers,
)
GLM = Vendor(
    form=forms.GLM,
    says="I am GLM.",
    key=lambda request: request.bearer,
    count=glm_count,
    usage=openai_usage,
    bare_usage=_bare,
    slow=lambda seconds: with_headers(glm_error("1302", 429), {"Retry-After": str(seconds)}),
    poor=lambda: glm_error("1113", 429),
    broken=lambda: glm_error("500", 500),
    headers=lambda _: {},
)

BY_PATH: tuple[tuple[str, Vendor], ...] = (
    ("/v1/messages", ANTHROPIC),
    ("/v4/chat/completions", GLM),
    ("/chat/completions", OPENAI),
)
"""Whose form a path is, by how it ends; the first that fits counts."""
