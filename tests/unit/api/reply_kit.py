"""Replies to requests with chosen fields, for tests of what is sent."""

from typing import Any

from api.dialects.base import Inbound, Reply
from api.dialects.openai_chat_request import parse_request


def reply_to(**fields: Any) -> Reply:
    """A reply with a fixed id and time to a request with these fields."""
    body = {"model": 'glm-"4.6"', "messages": [{"role": "user", "content": "Hi"}], **fields}
    return Reply("chatcmpl-1", 1_795_200_000, parse_request(Inbound(body, b"", {}, "default", "tags")))
