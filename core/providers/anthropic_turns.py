"""Writes a canonical conversation as Anthropic's system prompt and turns."""

from collections.abc import Iterable, Sequence
from typing import Any

from core.errors import InvalidRequest
from core.providers.anthropic_body import safe_id
from core.providers.anthropic_content import MARK, blocks, marked, text_block, text_blocks
from core.providers.anthropic_models import takes_prefill, takes_system_in_place
from core.providers.anthropic_replay import Replay
from core.providers.draft import Draft
from schemas.chat import Message, ThinkingBlock, ToolCall
from schemas.codec import loads

Wire = dict[str, Any]

BEGIN = "(The conversation begins with your own message.)"
"""Stands ahead of a conversation that the assistant begins, which Anthropic refuses."""
CONTINUE = "Go on exactly where your last message stops, without repeating any of it."
"""Says in words what a last message of the assistant's own asks of models that took it as the beginning of theirs."""


def conversation(draft: Draft, issuer: str | None) -> tuple[list[Wire], list[Wire]]:
    """The blocks of the system prompt, and the turns: none empty, no two of one role in a row, the user's first.

    System messages further down stay where they are, so that they leave the prefix of the conversation alone; where
    the model does not take them there, they are text of the user's turn in tags that say what it is. Raises
    InvalidRequest when nothing is left to send.
    """
    messages = draft.request.messages
    head = next((i for i, message in enumerate(messages) if message.role != "system"), len(messages))
    system = [block for message in messages[:head] for block in _said(draft, message)]
    replay = Replay.of(draft.request, issuer)
    turns = _merged(_turn(draft, replay, message) for message in messages[head:])
    turns = _merged(_settled(draft, turns, index) for index in range(len(turns)))
    if not turns:
        turns, system = _asked_by_user(system)
    if turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": [text_block(BEGIN)]})
    for turn in turns:
        # Anthropic refuses a tool's result that stands behind anything else.
        turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    return system, _ended(draft, turns)


def _said(draft: Draft, message: Message) -> list[Wire]:
    if message.name is not None:
        draft.drop("messages.name")
    return text_blocks(draft, message.parts)


def _turn(draft: Draft, replay: Replay, message: Message) -> Wire:
    if message.role == "tool":
        return {"role": "user", "content": [_result(draft, message)]}
    if message.role == "assistant":
        thinking = [_thinking(block) for block in replay.kept(draft, message.thinking) if block.data or block.signature]
        calls = [_call(call) for call in message.tool_calls]
        return {"role": "assistant", "content": [*thinking, *_said(draft, message), *calls]}
    if message.role == "system":
        return {"role": "system", "content": _said(draft, message)}
    if message.name is not None:
        draft.drop("messages.name")
    return {"role": "user", "content": blocks(draft, message.parts)}


def _result(draft: Draft, message: Message) -> Wire:
    """What a tool returned. A mark for the cache counts on the whole result only, not on a block in it."""
    content = blocks(draft, message.parts)
    marks = [mark for block in content if (mark := block.pop(MARK, None)) is not None]
    result: Wire = {"type": "tool_result", "tool_use_id": safe_id(message.tool_call_id)}
    if content:
        result["content"] = content
    if message.is_error:
        result["is_error"] = True
    return marked(result, marks[-1] if marks else None)


def _thinking(block: ThinkingBlock) -> Wire:
    if block.data:
        return {"type": "redacted_thinking", "data": block.data}
    return {"type": "thinking", "thinking": block.text, "signature": block.signature}


def _call(call: ToolCall) -> Wire:
    return marked({"type": "tool_use", "id": safe_id(call.id), "name": call.name, "input": _input(call)}, call.cache)


def _input(call: ToolCall) -> Wire:
    """The arguments as the object that Anthropic demands, whatever the model of that turn wrote."""
    try:
        value = loads(call.arguments or "{}")
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"arguments": call.arguments}


def _merged(turns: Iterable[Wire]) -> list[Wire]:
    merged: list[Wire] = []
    for turn in turns:
        if merged and merged[-1]["role"] == turn["role"]:
            merged[-1]["content"] += turn["content"]
        elif turn["content"]:
            merged.append(turn)
    return merged


def _settled(draft: Draft, turns: Sequence[Wire], index: int) -> Wire:
    """Turn number `index`, of which a system message stays one only where Anthropic takes it.

    That is behind a turn of the user's, and at the end or ahead of an answer.
    """
    turn = turns[index]
    if turn["role"] != "system":
        return turn
    behind_user = index > 0 and turns[index - 1]["role"] == "user"
    ahead_of_answer = index + 1 == len(turns) or turns[index + 1]["role"] == "assistant"
    if behind_user and ahead_of_answer and takes_system_in_place(draft.target.model):
        return turn
    return {"role": "user", "content": [_tagged(block) for block in turn["content"]]}


def _tagged(block: Wire) -> Wire:
    return {**block, "text": f"<system>\n{block['text']}\n</system>"}


def _asked_by_user(system: list[Wire]) -> tuple[list[Wire], list[Wire]]:
    """The last of the system's blocks as the user's turn, as Anthropic answers nobody else; and the others."""
    if not system:
        raise InvalidRequest("the conversation has no content that this provider can be sent", param="messages")
    return [{"role": "user", "content": system[-1:]}], system[:-1]


def _ended(draft: Draft, turns: list[Wire]) -> list[Wire]:
    last = turns[-1]
    if last["role"] != "assistant":
        return turns
    if not takes_prefill(draft.target.model):
        return [*turns, {"role": "user", "content": [text_block(CONTINUE)]}]
    if last["content"][-1]["type"] == "text":
        # Anthropic refuses a beginning that ends in white space.
        last["content"][-1]["text"] = last["content"][-1]["text"].rstrip()
    return turns
