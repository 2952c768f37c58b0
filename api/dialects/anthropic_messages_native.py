"""The content of a whole message whose text was searched here, in the provider's own blocks."""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.answer import Answer
from schemas.chat import UNSIGNED, ThinkingBlock, ToolCall

Block = Mapping[str, Any]

THOUGHTS = ("thinking", "redacted_thinking")


def thinking_object(text: str, signature: str | None) -> dict[str, str]:
    """A thinking block, which cannot do without a signature."""
    return {"type": "thinking", "thinking": text, "signature": signature or UNSIGNED}


def retold_content(answer: Answer, native: Block) -> list[Any]:
    """The provider's blocks as they are, but for text and thinking that were changed.

    Changed text is one block in place of the first, as nobody knows which of several it belongs to; what cited sources
    for the text that was changed goes with it.
    """
    content = native.get("content")
    told = [block for block in content if isinstance(block, Mapping)] if isinstance(content, list) else []
    texts = _told(told, "text")
    if "".join(texts) != answer.text:
        told = _replaced(told, ("text",), [{"type": "text", "text": answer.text}] if answer.text else [], len(told))
    if "".join(_told(told, "thinking")) != answer.reasoning:
        told = _replaced(told, THOUGHTS, list(map(_thought, answer.thinking)), 0)
    calls = iter(answer.tool_calls)
    return [_called(block, calls) for block in told]


def _told(blocks: list[Block], kind: str) -> list[str]:
    return [str(block.get(kind) or "") for block in blocks if block.get("type") == kind]


def _replaced(blocks: list[Block], kinds: tuple[str, ...], new: list[Block], otherwise: int) -> list[Block]:
    """The blocks with the `new` ones in place of those of `kinds`: one by one, or all where the first one stood."""
    places = [place for place, block in enumerate(blocks) if block.get("type") in kinds]
    if len(places) == len(new):
        return [new[places.index(place)] if place in places else block for place, block in enumerate(blocks)]
    first = places[0] if places else otherwise
    kept = list(_without(blocks, kinds))
    return [*kept[:first], *new, *kept[first:]]


def _without(blocks: list[Block], kinds: tuple[str, ...]) -> Iterator[Block]:
    return (block for block in blocks if block.get("type") not in kinds)


def _thought(block: ThinkingBlock) -> Block:
    if block.data is not None:
        return {"type": "redacted_thinking", "data": block.data}
    return thinking_object(block.text, block.signature)


def _called(block: Block, calls: Iterator[ToolCall]) -> Block:
    """The block; a call that came without an id has the one that was made up for it."""
    call = next(calls, None) if block.get("type") == "tool_use" else None
    return block if call is None or block.get("id") else {**block, "id": call.id}
