"""OpenAI's messages to canonical ones."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import InvalidRequest
from schemas.chat import DocumentPart, ImagePart, Message, OpaquePart, Part, Role, TextPart, ToolCall
from schemas.codec import dumps
from schemas.openai_chat import ContentPart, FunctionCall, ImageUrl, WireMessage

ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
NEEDS_CONTENT = frozenset({"system", "developer", "user", "tool", "function"})


def parse_messages(
    messages: Sequence[WireMessage], bodies: Sequence[Mapping[str, Any]], first: int = 0
) -> tuple[Message, ...]:
    """The messages in order; `bodies` are the same as they came, and `first` is the number of the first of them.

    Raises InvalidRequest, which names the field.
    """
    pairs = zip(messages, bodies, strict=True)
    return tuple(_message(message, body, f"messages[{i}]") for i, (message, body) in enumerate(pairs, first))


def _message(wire: WireMessage, body: Mapping[str, Any], path: str) -> Message:
    if wire.content is None and wire.role in NEEDS_CONTENT:
        raise _missing(f"{path}.content")
    tool_call_id = wire.tool_call_id
    if wire.role == "function":
        if not wire.name:
            raise _missing(f"{path}.name")
        tool_call_id = _legacy_id(wire.name)
    elif wire.role == "tool" and not tool_call_id:
        raise _missing(f"{path}.tool_call_id")
    return Message(
        role=ROLES[wire.role],
        parts=_parts(wire, body, path),
        tool_calls=_tool_calls(wire, path),
        tool_call_id=tool_call_id,
        name=wire.name,
        reasoning=wire.reasoning_content or wire.reasoning,
    )


def _parts(wire: WireMessage, body: Mapping[str, Any], path: str) -> tuple[Part, ...]:
    if wire.content is None:
        return (TextPart(wire.refusal),) if wire.refusal else ()
    if isinstance(wire.content, str):
        return (TextPart(wire.content),) if wire.content else ()
    return tuple(_part(part, body["content"][j], f"{path}.content[{j}]") for j, part in enumerate(wire.content))


def _part(part: ContentPart, body: Mapping[str, Any], path: str) -> Part:
    match part.type:
        case "text" | "input_text" | "output_text":
            if part.text is None:
                raise _missing(f"{path}.text")
            return TextPart(part.text, _mark(body))
        case "refusal":
            return TextPart(part.refusal or "")
        case "image_url":
            return _image(part, body, path)
        case "file" if isinstance(file := body.get("file"), Mapping) and isinstance(file.get("file_data"), str):
            name = file.get("filename")
            return DocumentPart(_data_url(file["file_data"]), name=name if isinstance(name, str) else None)
        case _:
            return OpaquePart(part.type, body)


def _mark(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Anthropic's `cache_control`, which some clients write into OpenAI's parts."""
    mark = body.get("cache_control")
    return mark if isinstance(mark, Mapping) else None


def _data_url(data: str) -> str:
    return data if data.startswith(("data:", "http://", "https://")) else f"data:application/pdf;base64,{data}"


def _image(part: ContentPart, body: Mapping[str, Any], path: str) -> ImagePart:
    image = part.image_url
    if image is None:
        raise _missing(f"{path}.image_url")
    url, detail = (image.url, image.detail) if isinstance(image, ImageUrl) else (image, None)
    if not url.startswith(("http://", "https://", "data:")):
        message = f"{path}.image_url.url must be an http, https or data URL."
        raise InvalidRequest(message, param=f"{path}.image_url.url", code="invalid_value")
    return ImagePart(url, detail, _mark(body))


def _tool_calls(wire: WireMessage, path: str) -> tuple[ToolCall, ...]:
    calls = []
    for k, call in enumerate(wire.tool_calls or ()):
        if call.function is not None:
            calls.append(_call(call.id, call.function))
        elif call.custom is not None:
            calls.append(ToolCall(call.id, call.custom.name, dumps({"input": call.custom.input}).decode()))
        else:
            raise _missing(f"{path}.tool_calls[{k}].function")
    if wire.function_call is not None:
        calls.append(_call(_legacy_id(wire.function_call.name), wire.function_call))
    return tuple(calls)


def _call(call_id: str, function: FunctionCall) -> ToolCall:
    arguments = function.arguments
    text = arguments if isinstance(arguments, str) else dumps(arguments or {}).decode()
    return ToolCall(call_id, function.name, text or "{}")


def _legacy_id(name: str) -> str:
    """The functions of old had no ids: a call and its result are matched by name."""
    return f"call_{name}"


def _missing(path: str) -> InvalidRequest:
    return InvalidRequest(f"{path} is missing.", param=path, code="missing_required_parameter")
