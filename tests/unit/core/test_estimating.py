"""How large a prompt is taken to be before anybody has counted it."""

from collections.abc import Mapping
from typing import Any

import pytest

from api.dialects.anthropic_messages_request import parse_request as parse_anthropic
from api.dialects.base import Inbound
from api.dialects.openai_chat_request import parse_request as parse_openai
from core.estimating import estimate_request
from schemas.chat import ChatRequest, Message, Native, ThinkingBlock
from schemas.codec import dumps

LONG = "lorem ipsum dolor " * 1000
SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "description": LONG}}}
ASKED = {"role": "user", "content": "Hi"}
OPENAI: dict[str, Mapping[str, Any]] = {
    "text": {"messages": [{"role": "user", "content": LONG}]},
    "reasoning": {"messages": [ASKED, {"role": "assistant", "content": "x", "reasoning_content": LONG}, ASKED]},
    "tools": {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]},
    "a schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
    "names": {"messages": [{"role": "user", "name": "a" * 60, "content": "Hi"}] * 300},
    "unknown parts": {"messages": [{"role": "user", "content": [{"type": "odd", "odd": {"text": LONG}}]}]},
    "unknown fields": {"prediction": {"type": "content", "content": LONG}},
    "text in a data URL": {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:," + LONG}}]}]
    },
    "text as a document": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "file", "file": {"file_data": "data:text/plain;base64," + "A" * 20_000}}],
            }
        ]
    },
}
ANTHROPIC: dict[str, Mapping[str, Any]] = {
    "thinking": {
        "messages": [
            ASKED,
            {"role": "assistant", "content": [{"type": "thinking", "thinking": LONG, "signature": "s" * 400}]},
            ASKED,
        ]
    },
    "system": {"system": LONG},
    "tools": {"tools": [{"name": "f", "input_schema": SCHEMA}]},
    "results of tools at the provider": {
        "messages": [
            ASKED,
            {
                "role": "assistant",
                "content": [
                    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
                    {
                        "type": "web_search_tool_result",
                        "tool_use_id": "srvtoolu_1",
                        "content": [{"type": "web_search_result", "encrypted_content": LONG}],
                    },
                ],
            },
            ASKED,
        ]
    },
}
MEGABYTE = "A" * 1_000_000


def openai(fields: Mapping[str, Any]) -> ChatRequest:
    return parse_openai(_inbound({"model": "m", "messages": [ASKED], **fields}))


def anthropic(fields: Mapping[str, Any]) -> ChatRequest:
    return parse_anthropic(_inbound({"model": "m", "max_tokens": 9, "messages": [ASKED], **fields}))


def of_part(part: Mapping[str, Any]) -> int:
    return estimate_request(openai({"messages": [{"role": "user", "content": [part]}]}))


def _inbound(body: dict[str, Any], raw: bytes | None = None) -> Inbound:
    return Inbound(body, raw or dumps(body), {}, "m", "tags")


@pytest.mark.parametrize("what", OPENAI)
def test_nothing_that_an_openai_client_sends_is_forgotten(what: str) -> None:
    request = openai(OPENAI[what])
    assert estimate_request(request) >= len(request.native.raw or dumps(request.native.body)) / 4


@pytest.mark.parametrize("what", ANTHROPIC)
def test_nothing_that_an_anthropic_client_sends_is_forgotten(what: str) -> None:
    request = anthropic(ANTHROPIC[what])
    assert estimate_request(request) >= len(request.native.raw or dumps(request.native.body)) / 4


def test_what_was_put_into_a_request_here_counts_as_well() -> None:
    message = Message("assistant", reasoning=LONG, thinking=(ThinkingBlock(LONG),))
    assert estimate_request(ChatRequest("m", (message,), Native("openai_chat", {}))) >= len(LONG) / 4


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{MEGABYTE}"}}, 1600),
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{MEGABYTE}", "detail": "low"}}, 85),
        ({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}, 1600),
        ({"type": "file", "file": {"file_data": f"data:application/pdf;base64,{MEGABYTE}"}}, 31_250),
        ({"type": "file", "file": {"file_data": f"data:application/msword;base64,{MEGABYTE}"}}, 31_250),
        ({"type": "file", "file": {"file_data": f"data:text/plain;base64,{MEGABYTE}"}}, 253_000),
        ({"type": "file", "file": {"file_data": MEGABYTE}}, 31_250),
        ({"type": "file", "file": {"file_data": "QUJD"}}, 3000),
        ({"type": "file", "file": {"file_data": MEGABYTE * 9}}, 150_000),
        ({"type": "file", "file": {"file_id": "file-1"}}, 1600),
        ({"type": "input_audio", "input_audio": {"data": MEGABYTE, "format": "mp3"}}, 3906),
        ({"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{MEGABYTE}"}}, 3906),
        ({"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}}, 1600),
    ],
    ids=[
        "image",
        "low",
        "linked",
        "pdf",
        "word",
        "text",
        "plain",
        "small",
        "large",
        "id",
        "sound",
        "video",
        "linked-video",
    ],
)
def test_media_count_by_their_kind_and_not_by_their_base64(part: Mapping[str, Any], tokens: int) -> None:
    assert of_part(part) == pytest.approx(tokens, abs=80)


def test_an_escaped_character_counts_as_itself() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "你" * 10_000}]}
    escaped = dumps(body).replace("你".encode(), b"\\u4f60")
    assert estimate_request(parse_openai(_inbound(body, escaped))) == estimate_request(parse_openai(_inbound(body)))
