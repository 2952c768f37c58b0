"""What clients send about conversations, as values of the gateway's."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError

from api.problems import check_finite, invalid_request
from core.errors import InvalidRequest
from schemas.context import ENVIRON_KEY, RequestContext
from schemas.conversation import StoredItem, Turn
from schemas.openai_items import (
    COPIED,
    WireCustomCall,
    WireFunctionCall,
    WireFunctionOutput,
    WireItem,
    WireItemMessage,
    WirePart,
    WireReasoning,
    WireTurn,
    WireUsage,
)
from schemas.usage import Usage
from services.conversations import Listing

MAX_LIMIT = 100
INCLUDABLE = frozenset(
    {
        "web_search_call.action.sources", "web_search_call.results", "code_interpreter_call.outputs",
        "computer_call_output.output.image_url", "file_search_call.results", "message.input_image.image_url",
        "message.output_text.logprobs", "reasoning.encrypted_content",
    }
)  # fmt: skip
"""What may be asked for beside an item; only what an item of ours can have makes a difference."""
SEALED = "reasoning.encrypted_content"

Form = TypeVar("Form", bound=BaseModel)


def context_of(http: Request) -> RequestContext:
    """What is known of the request."""
    context: RequestContext = http.environ[ENVIRON_KEY]
    return context


def owner_of(http: Request) -> str:
    """Whose conversations the request may touch."""
    caller = context_of(http).caller
    return caller.id if caller is not None else "anonymous"


def body_of(http: Request, form: type[Form], *, copied: bool = False) -> Form:
    """The body; one that is not there says nothing. `copied`: it is what a gateway has written.

    Raises InvalidRequest, which names the field.
    """
    body = context_of(http).body or {}
    try:
        wanted = form.model_validate(body, context={COPIED: copied})
    except ValidationError as error:
        raise invalid_request(error) from None
    # A field that no form knows may be kept as well.
    check_finite(body)
    return wanted


def listing_of(http: Request) -> Listing:
    """`after`, `limit` and `order` of the query. Raises InvalidRequest."""
    order, limit = http.args.get("order", "desc"), http.args.get("limit", "20")
    if order not in ("asc", "desc"):
        raise InvalidRequest(f"order: must be asc or desc, not {order[:40]!r}.", param="order", code="invalid_value")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:4]) <= MAX_LIMIT and len(limit) <= len("100")):
        said = f"limit: must be a number from 1 to {MAX_LIMIT}, not {limit[:40]!r}."
        raise InvalidRequest(said, param="limit", code="invalid_value")
    return Listing(http.args.get("after") or None, int(limit), ascending=order == "asc")


def included(http: Request) -> frozenset[str]:
    """What the query asks for beside the items. Raises InvalidRequest."""
    wanted = [*http.args.getlist("include"), *http.args.getlist("include[]")]
    for name in wanted:
        if name not in INCLUDABLE:
            said = f"include: {name[:80]!r} is not known; there are {', '.join(sorted(INCLUDABLE))}."
            raise InvalidRequest(said, param="include", code="invalid_value")
    return frozenset(wanted)


def stored_items(items: Iterable[WireItem] | None) -> list[StoredItem]:
    """The items in the one way in which they are kept."""
    return [StoredItem(_item(item)) for item in items or ()]


def stored_turn(turn: WireTurn) -> Turn:
    """A turn of an exported conversation."""
    return Turn(
        created_at=turn.created_at,
        status=turn.status,
        reason=turn.incomplete_details.reason if turn.incomplete_details else None,
        model=turn.model,
        provider=turn.provider,
        upstream_model=turn.upstream_model,
        finish_reason=turn.finish_reason,
        usage=_usage(turn.usage),
        cost_usd=turn.cost_usd,
        request_id=turn.request_id,
        items=tuple(turn.items),
    )


def _usage(usage: WireUsage | None) -> Usage | None:
    if usage is None:
        return None
    read, written = usage.input_tokens_details.cached_tokens, usage.input_tokens_details.cache_write_tokens
    return Usage(
        uncached=usage.input_tokens - (read or 0) - (written or 0),
        read=read,
        write_short=written,
        output=usage.output_tokens,
        reasoning=usage.output_tokens_details.reasoning_tokens,
        source="estimated" if usage.estimated else "reported",
    )


def _item(item: WireItem) -> dict[str, Any]:
    if isinstance(item, WireItemMessage):
        content = _content(item.content, "output_text" if item.role == "assistant" else "input_text")
        return {"type": "message", "role": item.role, "status": _status(item), "content": content}
    if isinstance(item, WireReasoning):
        return _reasoning(item)
    kept: dict[str, Any] = {"type": item.type, "call_id": item.call_id}
    if isinstance(item, WireFunctionCall):
        kept |= {"name": item.name, "arguments": item.arguments}
    elif isinstance(item, WireCustomCall):
        kept |= {"name": item.name, "input": item.input}
    else:
        output = item.output
        kept["output"] = output if isinstance(output, str) else _content(output, "input_text")
    if isinstance(item, (WireFunctionCall, WireFunctionOutput)):
        kept["status"] = _status(item)
    return kept


def _status(item: WireItemMessage | WireReasoning | WireFunctionCall | WireFunctionOutput) -> str:
    """Whole unless it says otherwise; nothing goes on with what was in progress elsewhere."""
    return "completed" if item.status in (None, "completed") else "incomplete"


def _reasoning(item: WireReasoning) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": part.text or ""} for part in item.summary],
        "content": [{"type": "reasoning_text", "text": part.text or ""} for part in item.content or ()],
        "status": _status(item),
    }
    return kept if item.encrypted_content is None else {**kept, "encrypted_content": item.encrypted_content}


def _content(content: str | list[WirePart], spoken: str) -> list[dict[str, Any]]:
    parts = [WirePart(type=spoken, text=content)] if isinstance(content, str) else content
    return [_part(part, spoken) for part in parts if not (isinstance(content, str) and not content)]


def _part(part: WirePart, spoken: str) -> dict[str, Any]:
    """The part; plain text is of the type that fits who speaks."""
    match part.type:
        case "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text":
            annotated = part.model_dump().get("annotations")
            text = {"type": spoken, "text": part.text}
            kept = annotated if isinstance(annotated, list) else []
            return {**text, "annotations": kept} if spoken == "output_text" else text
        case "refusal":
            return {"type": "refusal", "refusal": part.refusal}
        case "input_image":
            return {
                "type": "input_image",
                "image_url": part.image_url,
                "file_id": None,
                "detail": part.detail or "auto",
            }
        case "input_file":
            given: Mapping[str, Any] = {"file_data": part.file_data, "file_url": part.file_url}
            told = {name: value for name, value in given.items() if value is not None}
            return {"type": "input_file", **told, "filename": part.filename}
        case _:
            return part.model_dump(exclude_unset=True)
