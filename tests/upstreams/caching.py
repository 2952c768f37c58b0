"""A provider that caches the beginnings of prompts for each key, as Anthropic and OpenAI do, and can stop doing so."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from tests.upstreams import forms
from tests.upstreams.anthropic_answers import anthropic_error
from tests.upstreams.openai_answers import openai_error
from tests.upstreams.steps import Step
from tests.upstreams.wire import Request

BYTES_PER_TOKEN = 4
LOOKBACK = 20
"""So many blocks ahead of a mark Anthropic looks for what is cached."""
LIVES: Mapping[str | None, float] = {None: 300.0, "5m": 300.0, "1h": 3600.0}
STEP = 128
"""OpenAI caches in steps of so many tokens."""
Mood = Literal["well", "forgetful", "silent", "lying", "throttled", "poor", "broken"]
"""`forgetful`: writes and never reads. `silent`: neither writes nor reads. `lying`: reads, and says that it did not."""


@dataclass
class Block:
    """A part of a prompt: what stands for it and all before it, the tokens up to its end, and its mark."""

    digest: str
    tokens: int
    mark: str | None = None
    is_marked: bool = False


@dataclass
class CachingProvider:
    """Plays both forms for any number of keys; `clock` says when a cache's time is over.

    `billed` adds up what was really read and written, by key, and `ideal` what one key alone would have read.
    """

    clock: Callable[[], float]
    minimum: int = 1024
    mood: Mood = "well"
    moods: dict[str, Mood] = field(default_factory=dict)
    retry_after: int = 30
    read: int = 0
    written: int = 0
    ideal: int = 0
    calls: list[str] = field(default_factory=list)
    _kept: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    _anywhere: dict[str, tuple[float, float]] = field(default_factory=dict)
    _mutex: Any = field(default_factory=threading.Lock)

    def forget(self) -> None:
        """Every cache is lost at once."""
        with self._mutex:
            self._kept.clear()

    def anthropic(self, request: Request) -> list[Step]:
        """What Anthropic would answer."""
        key = str(request.headers.get("x-api-key"))
        refused = self._refused(key, anthropic_error)
        if refused is not None:
            return refused
        blocks = _anthropic_blocks(request.body)
        with self._mutex:
            read, written, rest = self._at_marks(key, blocks)
        usage = {"input_tokens": rest, "cache_read_input_tokens": read, "cache_creation_input_tokens": written}
        return forms.ANTHROPIC.answer(request, "I am Claude.", usage={**usage, "output_tokens": 9}, model="claude")

    def openai(self, request: Request) -> list[Step]:
        """What OpenAI would answer."""
        key = str(request.headers.get("authorization"))
        refused = self._refused(key, lambda kind, status, **more: openai_error(status, kind, None, **more))
        if refused is not None:
            return refused
        blocks = _blocks(request.body["messages"])
        with self._mutex:
            read = self._automatic(key, blocks)
        total = blocks[-1].tokens if blocks else 0
        usage = {"prompt_tokens": total, "completion_tokens": 9, "total_tokens": total + 9,
                 "prompt_tokens_details": {"cached_tokens": read}}  # fmt: skip
        return forms.OPENAI.answer(request, "I am GPT.", usage=usage)

    def _refused(self, key: str, error: Callable[..., list[Step]]) -> list[Step] | None:
        self.calls.append(key)
        match self.moods.get(key, self.mood):
            case "throttled":
                return error("rate_limit_error", 429, headers={"Retry-After": str(self.retry_after)})
            case "poor":
                return error("billing_error", 402)
            case "broken":
                return error("api_error", 500)
        return None

    def _at_marks(self, key: str, blocks: list[Block]) -> tuple[int, int, int]:
        """Tokens read, written, and neither."""
        mood, total = self.moods.get(key, self.mood), blocks[-1].tokens
        marks = [place for place, block in enumerate(blocks) if block.is_marked and block.tokens >= self.minimum][-4:]
        if not marks or mood == "silent":
            return 0, 0, total
        ideal = self._longest(blocks, marks, self._anywhere, "")
        read = 0 if mood == "forgetful" else self._longest(blocks, marks, self._kept, key)
        for place in marks:
            life = LIVES[blocks[place].mark]
            self._keep(key, blocks[place].digest, life)
        end = blocks[marks[-1]].tokens
        self.read, self.written, self.ideal = self.read + read, self.written + end - read, self.ideal + ideal
        return (0, 0, total) if mood == "lying" else (read, end - read, total - end)

    def _automatic(self, key: str, blocks: list[Block]) -> int:
        mood = self.moods.get(key, self.mood)
        places = [place for place, block in enumerate(blocks) if block.tokens >= self.minimum]
        if not places or mood == "silent":
            return 0
        ideal = self._longest(blocks, places, self._anywhere, "")
        read = 0 if mood in ("forgetful", "lying") else self._longest(blocks, places, self._kept, key)
        for place in places:
            self._keep(key, blocks[place].digest, LIVES[None])
        read, ideal = read // STEP * STEP, ideal // STEP * STEP
        self.read, self.ideal = self.read + read, self.ideal + ideal
        return read

    def _longest(self, blocks: list[Block], marks: list[int], kept: Mapping[Any, tuple[float, float]], key: str) -> int:
        for mark in reversed(marks):
            for place in range(mark, max(-1, mark - LOOKBACK), -1):
                name: Any = (key, blocks[place].digest) if key else blocks[place].digest
                at, life = kept.get(name, (0.0, -1.0))
                if self.clock() - at <= life and blocks[place].tokens >= self.minimum:
                    return blocks[place].tokens
        return 0

    def _keep(self, key: str, digest: str, life: float) -> None:
        self._kept[key, digest] = self._anywhere[digest] = (self.clock(), life)


def _anthropic_blocks(body: Mapping[str, Any]) -> list[Block]:
    system = body.get("system") or []
    parts = list(body.get("tools") or []) + ([{"text": system}] if isinstance(system, str) else list(system))
    for turn in body["messages"]:
        content = turn["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        parts += [{"role": turn["role"], **block} for block in blocks]
    return _blocks(parts)


def _blocks(parts: list[Any]) -> list[Block]:
    blocks, digest, tokens = [], sha256(), 0
    for part in parts:
        mark = part.get("cache_control")
        text = json.dumps({name: value for name, value in part.items() if name != "cache_control"})
        digest.update(text.encode())
        tokens += len(text) // BYTES_PER_TOKEN + 1
        blocks.append(Block(digest.hexdigest(), tokens, (mark or {}).get("ttl"), mark is not None))
    return blocks
