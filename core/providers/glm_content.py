"""Translates message contents and tools to what GLM takes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from core.errors import InvalidRequest
from core.providers.draft import Draft
from core.providers.openai_history import is_linked
from core.providers.openai_messages import wire_format, wire_part, wire_tool
from schemas.chat import DocumentPart, HostedTool, ImagePart, Message, OpaquePart, Part, TextPart, Tool, ToolChoice
from schemas.codec import dumps

Wire = dict[str, Any]

MAX_TOOLS = 128
HOSTED = frozenset({"web_search", "retrieval", "mcp"})
MEDIA = frozenset({"video_url", "file_url"})
NO_PARAMETERS: Wire = {"type": "object", "properties": {}}


def with_question(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The conversation with its last system message asked by the user, if nobody else says anything.

    GLM refuses conversations of nothing but system and assistant messages. Raises InvalidRequest when there is no
    system message to turn either.
    """
    if any(message.role in ("user", "tool") for message in messages):
        return tuple(messages)
    for index in reversed(range(len(messages))):
        if messages[index].role == "system":
            return (*messages[:index], replace(messages[index], role="user"), *messages[index + 1 :])
    raise InvalidRequest("GLM needs at least one user message", param="messages")


def content(draft: Draft, message: Message, index: int, *, bare_images: bool) -> str | list[Wire]:
    """Text as one string, and parts only where there is more than text.

    `bare_images` sends base64 images without their `data:` prefix. Raises InvalidRequest naming the part that the
    model cannot read.
    """
    parts = message.parts
    if all(isinstance(part, TextPart) for part in parts):
        return "\n".join(part.text for part in parts if isinstance(part, TextPart))
    wire = []
    for number, part in enumerate(parts):
        _check(draft, part, f"messages[{index}].content[{number}]")
        wire.append(_wire(draft, part, bare=bare_images))
    return wire


def _wire(draft: Draft, part: Part, *, bare: bool) -> Wire:
    if isinstance(part, ImagePart):
        return _image(draft, part, bare=bare)
    if isinstance(part, DocumentPart) and part.url is not None:
        return {"type": "file_url", "file_url": {"url": part.url}}
    return wire_part(part)


def _check(draft: Draft, part: Part, where: str) -> None:
    if isinstance(part, TextPart):
        return
    if isinstance(part, DocumentPart) and not is_linked(part):
        raise InvalidRequest("GLM takes documents by http or https URL only", param=where)
    if isinstance(part, OpaquePart) and part.kind not in MEDIA:
        raise InvalidRequest(f"GLM takes no content of type {part.kind[:64]!r}", param=where)
    if "vision" not in draft.target.info.abilities:
        raise InvalidRequest(f"the model {draft.request.model!r} reads text only", param=where)


def _image(draft: Draft, part: ImagePart, *, bare: bool) -> Wire:
    if part.detail not in (None, "auto"):
        draft.drop("image_url.detail")
    url = part.url
    if bare and url.startswith("data:"):
        url = url.partition(",")[2]
    return {"type": "image_url", "image_url": {"url": url}}


def offered(draft: Draft) -> list[Tool | HostedTool]:
    """The tools to send: those the tool choice allows, without the kinds that GLM does not know.

    Raises InvalidRequest for more than 128, or for a choice that names a tool which was not given.
    """
    request, known = draft.request, []
    for tool in request.tools:
        if isinstance(tool, HostedTool) and tool.kind not in HOSTED:
            draft.drop(f"tools.{tool.kind}")
        else:
            known.append(tool)
    choice = _choice(draft)
    chosen = _chosen(choice, known) if known and choice else known
    if len(chosen) > MAX_TOOLS:
        raise InvalidRequest(f"GLM takes at most {MAX_TOOLS} tools, these are {len(chosen)}", param="tools")
    return chosen


def _choice(draft: Draft) -> ToolChoice | None:
    """The choice, which goes without a tool of another provider's as that tool does."""
    choice = draft.request.tool_choice
    lost = {_name(tool) for tool in draft.request.tools if isinstance(tool, HostedTool) and tool.kind not in HOSTED}
    if choice is None or choice.name not in lost:
        return choice
    draft.drop("tool_choice")
    return None


def _name(tool: HostedTool) -> str:
    """What a choice calls it: the name that Anthropic's tools have, the type of all others."""
    return str(tool.body.get("name") or tool.kind)


def _chosen(choice: ToolChoice, tools: list[Tool | HostedTool]) -> list[Tool | HostedTool]:
    if choice.mode == "none":
        return []
    names = {choice.name} if choice.mode == "named" else set(choice.names)
    if not names:
        return tools
    chosen = [tool for tool in tools if (tool.kind if isinstance(tool, HostedTool) else tool.name) in names]
    if not chosen:
        raise InvalidRequest("tool_choice names a tool that is not in tools", param="tool_choice")
    return chosen


def tool_fields(draft: Draft) -> Wire:
    """The tools, and whether their calls are streamed; `auto` is the only choice GLM knows, and its default."""
    request, tools = draft.request, offered(draft)
    if request.tools and request.parallel_tool_calls is False:
        draft.drop("parallel_tool_calls")
    if not tools:
        return {}
    fields: Wire = {"tools": [_tool(draft, tool) for tool in tools]}
    if _choice(draft) is not None:
        fields["tool_choice"] = "auto"
    if request.stream and "tool_stream" in draft.target.info.abilities:
        fields["tool_stream"] = True
    return fields


def _tool(draft: Draft, tool: Tool | HostedTool) -> Wire:
    if isinstance(tool, HostedTool):
        return wire_tool(tool)
    if tool.strict:
        draft.drop("tools.strict")
    return wire_tool(replace(tool, strict=None, parameters=tool.parameters or NO_PARAMETERS))


def format_fields(draft: Draft) -> Wire:
    """The response format: a schema goes as one to models that take it, else into the instructions."""
    wanted = draft.request.response_format
    if wanted is None or wanted.kind == "text":
        return {}
    if wanted.kind == "json_schema" and "json_schema" in draft.target.info.abilities:
        return {"response_format": wire_format(wanted)}
    return {"response_format": {"type": "json_object"}}


def instructions(draft: Draft) -> str:
    """What GLM has no parameter for, said in words; empty when there is nothing to say.

    It is for a last message, so that the prefix of the conversation stays as it was cached.
    """
    return "\n\n".join(text for text in (_call_order(draft), _schema_order(draft)) if text)


def _call_order(draft: Draft) -> str:
    choice = _choice(draft)
    if choice is None or choice.mode not in ("required", "named") or not offered(draft):
        return ""
    draft.drop("tool_choice")
    if choice.mode == "named":
        return f"You must answer by calling the tool {choice.name}. Do not answer in text."
    return "You must answer by calling at least one of the given tools. Do not answer in text."


def _schema_order(draft: Draft) -> str:
    wanted = draft.request.response_format
    if wanted is None or wanted.kind != "json_schema" or "json_schema" in draft.target.info.abilities:
        return ""
    draft.drop("response_format.json_schema")
    order = "Answer with nothing but one JSON object that conforms to this JSON Schema:\n"
    described = f"{wanted.description}\n" if wanted.description else ""
    return f"{described}{order}{dumps(wanted.schema or {}).decode()}"
