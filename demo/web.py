"""The wire form of chat.z.ai: one message buffer that is appended to, then edited."""

from collections.abc import Iterator, Mapping
from typing import Any

from demo.answers import Reply
from demo.faults import Fault
from demo.tokens import pieces
from demo.tools import Call
from schemas.codec import dumps

Json = dict[str, Any]
_BEFORE_EDIT = '<details type="reasoning" done="'
_ATTRIBUTES = 'view="" last_tool_call_name=""'
_OPENING = f'{_BEFORE_EDIT}false" {_ATTRIBUTES}>\n<summary>Thinking…</summary>\n> '
_MODELS = {
    "0727-360B-API": "GLM-4.5",
    "0727-106B-API": "GLM-4.5-Air",
    "GLM-4-6-API-V1": "GLM-4.6",
    "glm-4.5v": "GLM-4.5V",
    "glm-4.7": "GLM-4.7",
    "glm-5": "GLM-5",
}


def error_body(fault: Fault) -> Json:
    """How a refusal is told."""
    return {"detail": fault.message}


def events(reply: Reply, head: Mapping[str, Any], counts: Json) -> Iterator[Json]:
    """The answer as frames, in the order of the site: thinking, closing edit, answer, other, done."""
    for frame in _frames(reply, head, {**counts, "words": len(reply.text)}):
        yield {"type": "chat:completion", "data": frame}
    yield {"type": "chat:completion", "data": "[DONE]"}


def model_list() -> Json:
    """The models on offer, as the site lists them."""
    return {"data": [_model(web_id, name) for web_id, name in _MODELS.items()]}


def _frames(reply: Reply, head: Mapping[str, Any], counts: Json) -> Iterator[Json]:
    answer = pieces(reply.text)
    length = len(reply.text)
    if reply.reasoning:
        yield from _thinking(reply.reasoning)
        edit = _closing_edit(reply.reasoning) + "".join(answer[:1])
        yield {"edit_index": len(_BEFORE_EDIT), "edit_content": edit, "phase": "answer"}
        answer = answer[1:]
        length += len(_BEFORE_EDIT) + len(_closing_edit(reply.reasoning))
    for piece in answer:
        yield {"delta_content": piece, "phase": "answer"}
    for index, call in enumerate(reply.calls):
        block = _block(f"call_{head['id']}_{index}", call)
        length += len(block)
        yield {"delta_content": block, "phase": "tool_call"}
    yield {"phase": "other", "usage": counts}
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": reply.finish_reason}
    yield {**head, "object": "chat.completion.chunk", "choices": [choice], "usage": counts, "phase": "answer"}
    yield {"done": True, "delta_content": "", "phase": "done"}
    yield {
        "done": True,
        "role": "assistant",
        "message_id": head["id"],
        "usage": counts,
        "edit_index": length,
        "edit_content": "",
        "phase": "other",
    }


def _thinking(reasoning: str) -> Iterator[Json]:
    first, *rest = pieces(reasoning)
    yield {"delta_content": _OPENING + _quote(first), "phase": "thinking"}
    for piece in rest:
        yield {"delta_content": _quote(piece), "phase": "thinking"}


def _closing_edit(reasoning: str) -> str:
    summary = "<summary>Thought for 1 seconds</summary>"
    return f'true" duration="1" {_ATTRIBUTES}>\n{summary}\n> {_quote(reasoning)}\n</details>\n'


def _quote(text: str) -> str:
    return text.replace("\n", "\n> ")


def _block(call_id: str, call: Call) -> str:
    data = {"data": {"metadata": {"id": call_id, "name": call.name, "arguments": call.arguments}}}
    return f'<glm_block tool_call_name="{call.name}">{dumps(data).decode()}</glm_block>'


def _model(web_id: str, name: str) -> Json:
    capabilities = {"think": True, "web_search": False, "vision": name.endswith("V"), "returnFc": True}
    return {"id": web_id, "name": name, "info": {"is_active": True, "meta": {"capabilities": capabilities}}}
