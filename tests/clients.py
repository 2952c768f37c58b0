"""What a client hears: answers of both dialects read strictly, as their specifications have them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.gateway import Gateway

Json = dict[str, Any]
Call = tuple[str, str, str]
VERSION = "2023-06-01"


@dataclass
class Heard:
    """One answer: `usage` and `reason` in the dialect's own words, `models` all names in it, `error` the one told."""

    status: int
    headers: Mapping[str, str]
    text: str = ""
    thinking: str = ""
    signatures: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    reason: str | None = None
    usage: Json | None = None
    models: set[str] = field(default_factory=set)
    error: Json | None = None
    ended: bool = False
    body: bytes = b""


@dataclass(frozen=True)
class Dialect:
    """One way to ask and to read the answer."""

    name: str

    def __str__(self) -> str:
        return f"to-{self.name}"

    def ask(self, gateway: Gateway, model: str, text: str = "Hi", stream: bool = False, **fields: Any) -> Heard:
        """The answer to one question; `fields` stand in the body, but for `headers`."""
        return self.heard(self.post(gateway, model, text, stream, **fields))

    def post(
        self, gateway: Gateway, model: str, text: str = "Hi", stream: bool = False, **fields: Any
    ) -> requests.Response:
        """The same as it comes over the wire."""
        headers = {**self.headers(), **fields.pop("headers", {})}
        body = {"model": model, "messages": [{"role": "user", "content": text}], **self.needed(), **fields}
        return gateway.post(self.path(), {**body, "stream": stream} if stream else body, headers=headers, stream=stream)

    def path(self) -> str:
        """Where chats are asked."""
        raise NotImplementedError

    def headers(self) -> dict[str, str]:
        """What the client always sends."""
        return {}

    def needed(self) -> Json:
        """What a body cannot do without."""
        return {}

    def tools(self, *names: str) -> Json:
        """The fields that offer tools of these names."""
        raise NotImplementedError

    def thinking(self) -> Json:
        """The fields that ask for thinking to be shown."""
        raise NotImplementedError

    def heard(self, response: requests.Response) -> Heard:
        """What was answered; fails for what no specification allows."""
        body = response.content
        told = Heard(response.status_code, response.headers, body=body)
        if response.headers["Content-Type"].startswith("text/event-stream"):
            self.read_stream(body, told)
        elif response.ok:
            self.read_whole(json.loads(body), told)
            told.ended = True
        else:
            self.read_error(json.loads(body), told)
        return told

    def read_stream(self, body: bytes, told: Heard) -> None:
        """Read events."""
        raise NotImplementedError

    def read_whole(self, body: Json, told: Heard) -> None:
        """Read a whole answer."""
        raise NotImplementedError

    def read_error(self, body: Json, told: Heard) -> None:
        """Read an error."""
        raise NotImplementedError


class OpenAIClient(Dialect):
    """Chat completions, with the thinking in a field of its own."""

    def path(self) -> str:
        return "/v2/chat/completions"

    def tools(self, *names: str) -> Json:
        parameters = {"type": "object", "properties": {}}
        return {"tools": [{"type": "function", "function": {"name": name, "parameters": parameters}} for name in names]}

    def thinking(self) -> Json:
        return {"headers": {"X-Thinking": "field"}, "reasoning_effort": "medium"}

    def read_stream(self, body: bytes, told: Heard) -> None:
        frames = [data for name, data in events(body)]
        assert all(name is None for name, _ in events(body)), "no event has a name"
        told.ended = bool(frames) and frames[-1] == b"[DONE]"
        chunks = [json.loads(data) for data in (frames[:-1] if told.ended else frames)]
        if chunks and "error" in chunks[-1]:
            assert not told.ended, "an error is the last word"
            self.read_error(chunks.pop(), told)
        assert told.ended or told.error, "a stream ends with [DONE] or an error"
        self._read_chunks(chunks, told)

    def _read_chunks(self, chunks: Sequence[Json], told: Heard) -> None:
        assert len({(chunk["id"], chunk["object"], chunk["created"]) for chunk in chunks}) <= 1
        told.models = {chunk["model"] for chunk in chunks}
        roles = 0
        calls: dict[int, list[str]] = {}
        for chunk in chunks:
            assert "error" not in chunk
            told.usage = chunk.get("usage") or told.usage
            if not chunk["choices"]:
                continue
            (choice,) = chunk["choices"]
            assert told.reason is None, "nothing is said after the end"
            told.reason = choice["finish_reason"]
            roles += "role" in choice["delta"]
            told.text += choice["delta"].get("content") or ""
            told.thinking += choice["delta"].get("reasoning_content") or ""
            for piece in choice["delta"].get("tool_calls") or ():
                _add_call(calls, piece)
        assert roles == 1 or not chunks, f"the role is told {roles} times"
        assert (told.reason is not None) == told.ended
        told.calls = [(call[0], call[1], call[2]) for _, call in sorted(calls.items())]

    def read_whole(self, body: Json, told: Heard) -> None:
        assert body["object"] == "chat.completion"
        (choice,) = body["choices"]
        message = choice["message"]
        assert message["role"] == "assistant"
        told.text, told.thinking = message["content"] or "", message.get("reasoning_content") or ""
        called = [(call["id"], call["function"]) for call in message.get("tool_calls") or ()]
        told.calls = [(ident, function["name"], function["arguments"]) for ident, function in called]
        told.reason, told.usage, told.models = choice["finish_reason"], body.get("usage"), {body["model"]}

    def read_error(self, body: Json, told: Heard) -> None:
        error = body["error"]
        assert {"message", "type", "param", "code"} <= set(error)
        assert set(body) == {"error", "request_id", "timestamp"}
        assert body["request_id"] == told.headers["X-Request-ID"]
        told.error = error


class AnthropicClient(Dialect):
    """Messages."""

    def path(self) -> str:
        return "/v1/messages"

    def headers(self) -> dict[str, str]:
        return {"anthropic-version": VERSION}

    def needed(self) -> Json:
        return {"max_tokens": 4096}

    def tools(self, *names: str) -> Json:
        return {"tools": [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in names]}

    def thinking(self) -> Json:
        return {"thinking": {"type": "adaptive", "display": "summarized"}}

    def read_stream(self, body: bytes, told: Heard) -> None:
        frames = [(name, json.loads(data)) for name, data in events(body)]
        assert all(name == value["type"] for name, value in frames), "each event is called like its type"
        kept = [value for _, value in frames if value["type"] != "ping"]
        if kept and kept[-1]["type"] == "error":
            self.read_error(kept.pop(), told)
        told.ended = bool(kept) and kept[-1]["type"] == "message_stop"
        assert told.ended != bool(told.error), "a stream ends with message_stop or an error"
        grammar = Grammar(told)
        for value in kept:
            grammar.read(value)
        told.text = "".join(grammar.said["text"])
        told.thinking = "".join(grammar.said["thinking"])

    def read_whole(self, body: Json, told: Heard) -> None:
        assert (body["type"], body["role"]) == ("message", "assistant")
        for block in body["content"]:
            if block["type"] == "text":
                told.text += block["text"]
            elif block["type"] == "thinking":
                told.thinking += block["thinking"]
                told.signatures.append(block["signature"])
            elif block["type"] == "tool_use":
                told.calls.append((block["id"], block["name"], _compact(block["input"])))
        told.reason, told.usage, told.models = body["stop_reason"], body["usage"], {body["model"]}

    def read_error(self, body: Json, told: Heard) -> None:
        assert body["type"] == "error"
        assert set(body) <= {"type", "error", "request_id"}
        assert isinstance(body["error"]["message"], str)
        assert body["request_id"] == told.headers["request-id"] == told.headers["X-Request-ID"]
        told.error = body["error"]


class Grammar:
    """The order in which the events of a message may come."""

    def __init__(self, told: Heard) -> None:
        self.said: dict[str, list[str]] = {"text": [], "thinking": []}
        self._told = told
        self._begun = self._over = False
        self._index = -1
        self._open: str | None = None
        self._arguments: list[str] = []

    def read(self, event: Json) -> None:
        """Take the next event; fails when it may not stand here."""
        kind = event["type"]
        assert self._begun != (kind == "message_start"), "message_start comes once, and first"
        assert not self._over or kind in ("message_delta", "message_stop"), "content comes before message_delta"
        getattr(self, f"_{kind}")(event)

    def _message_start(self, event: Json) -> None:
        self._begun = True
        message = event["message"]
        assert message["content"] == []
        assert message["stop_reason"] is None
        self._told.models.add(message["model"])
        self._told.usage = dict(message["usage"])

    def _content_block_start(self, event: Json) -> None:
        assert self._open is None, "blocks do not overlap"
        assert event["index"] == self._index + 1
        self._index += 1
        block = event["content_block"]
        self._open = block["type"]
        if self._open == "tool_use":
            assert block["input"] == {}
            self._told.calls.append((block["id"], block["name"], ""))
            self._arguments = []
        elif self._open in self.said:
            assert block[self._open] == ""

    def _content_block_delta(self, event: Json) -> None:
        assert event["index"] == self._index
        assert self._open is not None
        delta = event["delta"]
        if delta["type"] == "input_json_delta":
            assert self._open == "tool_use"
            self._arguments.append(delta["partial_json"])
        elif delta["type"] == "signature_delta":
            assert self._open == "thinking"
            self._told.signatures.append(delta["signature"])
        else:
            assert delta["type"] == f"{self._open}_delta"
            self.said[self._open].append(delta[self._open])

    def _content_block_stop(self, event: Json) -> None:
        assert event["index"] == self._index
        if self._open == "tool_use":
            ident, name, _ = self._told.calls[-1]
            self._told.calls[-1] = (ident, name, "".join(self._arguments))
        self._open = None

    def _message_delta(self, event: Json) -> None:
        assert self._open is None, "all blocks are closed"
        self._over = True
        self._told.reason = event["delta"]["stop_reason"] or self._told.reason
        self._told.usage = {**(self._told.usage or {}), **event["usage"]}

    def _message_stop(self, _: Json) -> None:
        assert self._over, "message_delta comes before message_stop"


OPENAI, ANTHROPIC = OpenAIClient("openai"), AnthropicClient("anthropic")
DIALECTS = (OPENAI, ANTHROPIC)


def events(body: bytes) -> Iterator[tuple[str | None, bytes]]:
    """The name and the data of each event; anything but `event`, `data` and comments fails."""
    assert not body or body.endswith(b"\n\n"), f"the stream is cut off: {body[-80:]!r}"
    for frame in body.split(b"\n\n")[:-1]:
        lines = frame.split(b"\n")
        named = [line[7:].decode() for line in lines if line.startswith(b"event: ")]
        data = [line[6:] for line in lines if line.startswith(b"data: ")]
        comments = [line for line in lines if line.startswith(b":")]
        assert len(named) + len(data) + len(comments) == len(lines), frame[:200]
        assert len(named) <= 1
        if comments and not data:
            continue
        yield (named[0] if named else None), b"\n".join(data)


def _add_call(calls: dict[int, list[str]], piece: Json) -> None:
    index = piece["index"]
    if "id" in piece:
        assert index not in calls, "the id comes with the first piece only"
        assert piece["type"] == "function"
        calls[index] = [piece["id"], piece["function"]["name"], ""]
    else:
        assert "name" not in piece["function"]
    calls[index][2] += piece["function"].get("arguments", "")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
