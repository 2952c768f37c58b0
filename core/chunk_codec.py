"""Chunks of an answer as text, to be told again."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from schemas.codec import dumps, loads
from schemas.stream import (
    ChatChunk,
    Finished,
    Passed,
    RawEvent,
    ReasoningDelta,
    Signature,
    Started,
    TextDelta,
    ToolCallDelta,
)
from schemas.usage import Usage

KINDS: Mapping[str, type[Any]] = {
    kind.__name__: kind for kind in (Started, TextDelta, ReasoningDelta, Signature, ToolCallDelta, Passed, Finished)
}


def spelled(chunks: Iterable[ChatChunk]) -> bytes:
    """JSON of the chunks and of the provider's events behind them, each event once."""
    events: dict[int, tuple[int, RawEvent]] = {}

    def place(raw: RawEvent) -> int:
        return events.setdefault(id(raw), (len(events), raw))[0]

    told = []
    for chunk in chunks:
        entry: dict[str, Any] = {"kind": type(chunk).__name__}
        for field in fields(chunk):
            value = getattr(chunk, field.name)
            if isinstance(value, RawEvent):
                entry[field.name] = place(value)
            elif field.name == "raw":
                entry[field.name] = [place(raw) for raw in value or ()]
            elif isinstance(value, Usage):
                entry[field.name] = {one.name: getattr(value, one.name) for one in fields(value)}
            else:
                entry[field.name] = value
        told.append(entry)
    return dumps({"events": [_event(raw) for _, raw in events.values()], "chunks": told})


def read(data: bytes | str) -> list[ChatChunk]:
    """The chunks that `spelled` has written. Raises ValueError, KeyError or TypeError for anything else."""
    told = loads(data)
    events = [RawEvent(one["data"].encode(), one["name"], _value(one)) for one in told["events"]]
    return [_chunk(entry, events) for entry in told["chunks"]]


def _event(raw: RawEvent) -> dict[str, Any]:
    # What was sent by itself is read again from its own bytes; a part of an event has none.
    value = {} if raw.data else {"value": raw.value}
    return {"data": raw.data.decode(), "name": raw.name, **value}


def _value(event: Mapping[str, Any]) -> Mapping[str, Any]:
    value: Mapping[str, Any] = event["value"] if "value" in event else loads(event["data"])
    return value


def _chunk(entry: dict[str, Any], events: list[RawEvent]) -> ChatChunk:
    values = {name: value for name, value in entry.items() if name != "kind"}
    kind = KINDS[entry["kind"]]
    if "raw" in values:
        raw = values["raw"]
        several = kind is Finished
        values["raw"] = tuple(events[place] for place in raw) if several else _one(raw, events)
    if values.get("usage") is not None:
        values["usage"] = Usage(**values["usage"])
    chunk: ChatChunk = kind(**values)
    return chunk


def _one(raw: Any, events: list[RawEvent]) -> RawEvent | None:
    return events[raw] if isinstance(raw, int) else None
