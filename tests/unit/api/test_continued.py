"""A request that goes on with a conversation is read as if its client had sent all of it."""

from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from api.continued import Continuing, Parsed
from api.dialects.anthropic_messages import AnthropicMessages
from api.dialects.anthropic_messages_history import AnthropicMessagesHistory
from api.dialects.base import Inbound
from api.dialects.openai_chat import OpenAIChat
from api.dialects.openai_chat_history import OpenAIChatHistory
from config.settings import ConversationSettings
from core.errors import InvalidRequest, NotFound
from schemas.caller import Caller
from schemas.codec import dumps
from schemas.context import ENVIRON_KEY, RequestContext
from schemas.conversation import StoredItem
from services.conversations import ConversationService
from services.sessions import is_followed, session_of
from tests.fakes import FakeClock
from tests.unit.services.store_fake import DictStore

HI = {"role": "user", "content": "Hi"}
EARLIER = StoredItem(
    {
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": "Earlier"}],
    }
)


class House:
    """One conversation of Ann's, and readers of both dialects."""

    def __init__(self, **settings: Any) -> None:
        self.service = ConversationService(DictStore().records, ConversationSettings(**settings), FakeClock())
        self.ident = self.service.create("ann", {}, [EARLIER]).id
        self.openai = Continuing(OpenAIChat(), OpenAIChatHistory(), self.service, in_body=True)
        self.anthropic = Continuing(AnthropicMessages(), AnthropicMessagesHistory(), self.service)

    def parse(
        self,
        body: dict[str, Any],
        headers: dict[str, str] | None = None,
        *,
        owner: str = "ann",
        anthropic: bool = False,
    ) -> Parsed:
        http = Request(EnvironBuilder().get_environ())
        http.environ[ENVIRON_KEY] = RequestContext("req-1", 0.0, caller=Caller(owner, owner, "user"))
        inbound = Inbound(body, dumps(body), headers or {}, "m", "hide")
        return (self.anthropic if anthropic else self.openai).parse(http, inbound)  # type: ignore[arg-type] # Flask's


def texts(parsed: Parsed) -> list[str]:
    return [message.text for message in parsed.request.messages]


@pytest.fixture
def house() -> House:
    return House()


def test_what_names_no_conversation_is_read_as_ever(house: House) -> None:
    body = {"messages": [HI]}
    parsed = house.parse(body)
    assert (texts(parsed), parsed.turn) == (["Hi"], None)
    assert parsed.request.native.raw == dumps(body)


@pytest.mark.parametrize("named", ["text", "object", "header", "both"])
def test_the_conversation_is_named_in_the_body_or_a_header(house: House, named: str) -> None:
    fields = {"text": house.ident, "object": {"id": house.ident}, "both": house.ident}
    body = {"messages": [HI], **({"conversation": fields[named]} if named in fields else {})}
    headers = {"x-conversation-id": house.ident} if named in ("header", "both") else {}
    parsed = house.parse(body, headers)
    assert texts(parsed) == ["Earlier", "Hi"]
    assert parsed.turn is not None
    assert parsed.turn.conversation == house.ident


def test_no_provider_is_told_of_it(house: House) -> None:
    request = house.parse({"messages": [HI], "conversation": house.ident, "custom": 1}).request
    assert request.native.body == {"messages": [{"role": "user", "content": "Earlier"}, HI], "custom": 1}
    assert (request.native.raw, request.extra) == (b"", {"custom": 1})
    assert house.parse({"messages": [HI], "conversation": None}).request.native.body == {"messages": [HI]}


def test_anthropics_form_takes_the_header(house: House) -> None:
    body = {"model": "m", "max_tokens": 5, "system": "Be brief.", "messages": [HI]}
    parsed = house.parse(body, {"x-conversation-id": house.ident}, anthropic=True)
    assert texts(parsed) == ["Be brief.", "Earlier", "Hi"]


def test_it_is_one_session_from_its_first_turn_on(house: House) -> None:
    first = house.parse({"messages": [HI], "conversation": house.ident}).request
    other = house.parse({"messages": [{"role": "system", "content": "x"}], "conversation": house.ident}).request
    assert session_of(first, "t") == session_of(other, "t")
    assert is_followed(first)


@pytest.mark.parametrize("anthropic", [False, True])
def test_somebody_elses_is_not_found(house: House, anthropic: bool) -> None:
    with pytest.raises(NotFound):
        house.parse({"messages": [HI]}, {"x-conversation-id": house.ident}, owner="bob", anthropic=anthropic)


@pytest.mark.parametrize("messages", [None, "none", [5], {}])
def test_what_has_no_messages_is_refused_as_ever(house: House, messages: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        house.parse({"messages": messages, "conversation": house.ident})
    assert (caught.value.param or "").startswith("messages")


def test_what_is_too_much_is_refused(house: House) -> None:
    for settings, size, code, param in (
        ({"max_items": 1}, 1, "conversation_full", "conversation"),
        ({"max_item_bytes": 300}, 300, "item_too_large", "messages"),
    ):
        full, text = House(**settings), "x" * size
        with pytest.raises(InvalidRequest) as caught:
            full.parse({"messages": [{"role": "user", "content": text}], "conversation": full.ident})
        assert (caught.value.code, caught.value.param) == (code, param)


def test_what_is_not_answered_is_read_the_same_and_needs_no_room() -> None:
    full = House(max_items=1)
    body = {"messages": [HI], "conversation": full.ident}
    http = Request(EnvironBuilder().get_environ())
    http.environ[ENVIRON_KEY] = RequestContext("req-1", 0.0, caller=Caller("ann", "ann", "user"))
    request = full.openai.told(http, Inbound(body, dumps(body), {}, "m", "hide"), OpenAIChat().parse)  # type: ignore[arg-type] # Flask's
    assert [message.text for message in request.messages] == ["Earlier", "Hi"]
