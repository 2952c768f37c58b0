"""Cuts a prompt into segments in the order in which providers cache it, each hashed with all that stands before it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

from core.prompt_cache.forms import LAYOUTS, MARKS, Form, Layout
from core.prompt_cache.media import MEDIA_CHARACTERS, surplus
from core.providers.anthropic_body import BILLING
from schemas.codec import dumps

DIGEST_BYTES = 16
PARAMETER_BYTES = 4
MOST_SEGMENTS = 20_000
"""A prompt of more blocks has no segments, so that nobody can make this work for seconds."""
UNKNOWN_TURN = b"?"
ROLES: Mapping[str, bytes] = {"user": b'"user"', "assistant": b'"assistant"', "tool": b'"tool"'}
"""The most usual roles as they are written, since every turn needs one."""
_MARKS = frozenset(MARKS)


class Segment(NamedTuple):
    """One block of a prompt; a named tuple, as a prompt has thousands and each is made on the path of a request.

    `digest` stands for everything up to and including this block, `characters` is the length of this block alone.
    `mark` is the ttl of the cache mark it carries, "" for a mark that names none, None without a mark.
    """

    label: str
    digest: str
    characters: int
    mark: str | None


@dataclass(frozen=True, slots=True)
class Chain:
    """A prompt as its segments, with a short digest of each parameter that is part of a cache's key.

    `automatic` is False for a body that switches off the mark OpenAI sets by itself.
    """

    segments: tuple[Segment, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    automatic: bool = True

    def __len__(self) -> int:
        return len(self.segments)

    @property
    def digest(self) -> str:
        """What stands for the whole prompt; empty for none."""
        return self.segments[-1].digest if self.segments else ""

    @property
    def marks(self) -> tuple[int, ...]:
        """After how many segments each marked prefix ends."""
        return tuple(index for index, segment in enumerate(self.segments, 1) if segment.mark is not None)

    def characters(self, length: int | None = None) -> int:
        """How long the first `length` segments are together, all of them for None."""
        return sum(segment.characters for segment in self.segments[:length])

    def label(self, index: int) -> str | None:
        """The label of the segment at `index`, None behind the end."""
        return self.segments[index].label if index < len(self.segments) else None


def chain_of(body: Mapping[str, Any], form: Form, beside: Mapping[str, Any] | None = None) -> Chain:
    """The chain of a body of that form; one that is not well formed has the segments that can be told.

    Marks are noted and no part of the hash, as every turn sets them elsewhere. A string is the same as one block of
    text. Keys count in the order in which they stand: another order is another prompt to a provider. The system block
    that Claude Code changes with every request is left out: Anthropic does so, and other hosts are not sent it.
    `beside` are parameters that travel outside the body, such as beta headers.

    Takes about 5 ms for 800 KB in 2,000 blocks.
    """
    layout = LAYOUTS[form]
    links = _Links()
    _add_tools(links, body.get("tools"))
    if layout.system is not None:
        _add_system(links, body.get(layout.system), layout)
    _add_turns(links, body.get(layout.turns), layout)
    links.mark_end(_ttl(body))
    options = body.get("prompt_cache_options")
    automatic = not (isinstance(options, dict) and options.get("mode") == "explicit")
    return Chain(tuple(links.segments), _parameters(body, layout, beside or {}), automatic)


class _Links:
    """The segments so far, and the running hash over them."""

    __slots__ = ("_hash", "is_over", "segments")

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.is_over = False
        self._hash = blake2b(digest_size=DIGEST_BYTES)

    def add(self, label: str, opener: bytes, value: Any, rest: Mapping[str, Any] | None = None) -> None:
        """Add a block. `opener` tells what begins with it, `rest` what belongs to it beside its content."""
        if self.is_over or len(self.segments) == MOST_SEGMENTS:
            self.is_over = True
            self.segments.clear()
            return
        mark = None
        if isinstance(value, dict) and (not _MARKS.isdisjoint(value) or "content" in value):
            value, mark = _unmarked(value)
        data = dumps(value) if rest is None else dumps(value) + b"+" + dumps(rest)
        size = len(data) if data.isascii() else len(data.decode())
        if size > MEDIA_CHARACTERS:
            size -= surplus(value) + surplus(rest)
        self._hash.update(opener)
        self._hash.update(data)
        self.segments.append(Segment(label, self._hash.hexdigest(), size, mark))

    def mark_end(self, ttl: str | None) -> None:
        """Mark the last segment, unless `ttl` is None."""
        if ttl is not None and self.segments:
            self.segments[-1] = self.segments[-1]._replace(mark=ttl)


def _add_tools(links: _Links, tools: Any) -> None:
    """All tools are one segment: a change in one of them changes what stands at the very beginning of the prompt."""
    if not isinstance(tools, list):
        return
    bare = [_unmarked(tool) if isinstance(tool, dict) else (tool, None) for tool in tools]
    if bare:
        links.add("tools", b"tools", [tool for tool, _ in bare])
        links.mark_end(next((mark for _, mark in reversed(bare) if mark is not None), None))


def _add_system(links: _Links, system: Any, layout: Layout) -> None:
    path = layout.system or ""
    if isinstance(system, dict) and layout.content in system:
        system, path = system[layout.content], f"{path}.{layout.content}"
    for index, block in enumerate(_blocks(system)):
        if _is_billing(block):
            continue
        links.add(f"{path}[{index}]" if isinstance(system, list) else path, b"system", block)


def _is_billing(block: Any) -> bool:
    text = block.get("text") if isinstance(block, dict) else None
    return isinstance(text, str) and text.startswith(BILLING)


def _add_turns(links: _Links, turns: Any, layout: Layout) -> None:
    role = None
    for index, turn in enumerate(turns if isinstance(turns, list) else ()):
        path = f"{layout.turns}[{index}]"
        if not isinstance(turn, dict):
            links.add(path, UNKNOWN_TURN, turn)
            continue
        goes_on = layout.joins_turns and turn.get("role") == role
        role = turn.get("role")
        _add_turn(links, turn, path, b"" if goes_on else _opener(role), layout)


def _opener(role: Any) -> bytes:
    return (ROLES.get(role) if isinstance(role, str) else None) or dumps(role)


def _add_turn(links: _Links, turn: Mapping[str, Any], path: str, opener: bytes, layout: Layout) -> None:
    """The blocks of one turn, the last of them together with the turn's other fields (calls, names, reasoning)."""
    content = turn.get(layout.content)
    is_list, rest, mark = isinstance(content, list), None, None
    if len(turn) > 2:
        rest = {name: value for name, value in turn.items() if name not in ("role", layout.content, *MARKS)} or None
        mark = _ttl(turn)
    blocks = _blocks(content)
    last = len(blocks) - 1
    if not blocks:
        links.add(path, opener, None, rest)
    for place, block in enumerate(blocks):
        label = f"{path}.{layout.content}[{place}]" if is_list else path
        links.add(label, b"" if place else opener, block, rest if place == last else None)
    links.mark_end(mark)


def _blocks(content: Any) -> list[Any]:
    """The blocks of a content, of which a string is one."""
    if isinstance(content, list):
        if len(content) == 1 and isinstance(content[0], dict):
            return content
        return [_text_block(block) if isinstance(block, str) else block for block in content]
    if isinstance(content, str):
        return [_text_block(content)] if content else []
    return [] if content is None else [content]


def _text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _unmarked(block: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The block without the marks in it, those of the blocks inside a tool's result included, and the last mark."""
    mark = _ttl(block)
    if not _MARKS.isdisjoint(block):
        block = {name: value for name, value in block.items() if name not in _MARKS}
    inner = block.get("content")
    if isinstance(inner, list) and any(isinstance(part, dict) and not _MARKS.isdisjoint(part) for part in inner):
        bare = [_unmarked(part) if isinstance(part, dict) else (part, None) for part in inner]
        block = {**block, "content": [part for part, _ in bare]}
        mark = mark if mark is not None else next((ttl for _, ttl in reversed(bare) if ttl is not None), None)
    return block, mark


def _ttl(block: Mapping[str, Any]) -> str | None:
    """The ttl that a mark on this block names, "" for a mark without one, None without a mark."""
    for name in MARKS:
        mark = block.get(name)
        if mark:
            ttl = mark.get("ttl") if isinstance(mark, dict) else None
            return ttl if isinstance(ttl, str) else ""
    return None


def _parameters(body: Mapping[str, Any], layout: Layout, beside: Mapping[str, Any]) -> dict[str, str]:
    found = [(path, _at(body, path)) for path in layout.parameters]
    return {
        path: blake2b(dumps(value), digest_size=PARAMETER_BYTES).hexdigest()
        for path, value in (*found, *beside.items())
        if value is not None
    }


def _at(body: Mapping[str, Any], path: str) -> Any:
    value: Any = body
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
