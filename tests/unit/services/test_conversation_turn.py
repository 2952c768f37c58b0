"""A turn is kept once, whole or marked, and never in the way of its answer."""

from collections.abc import Sequence
from typing import Any

import pytest

from config.settings import ConversationSettings
from core.errors import InvalidRequest
from schemas.conversation import StoredItem
from schemas.outcome import Outcome
from schemas.stream import ChatChunk, Finished, KeepAlive, Passed, RawEvent, ReasoningDelta, Signature, Started
from schemas.stream import TextDelta as Text
from schemas.stream import ToolCallDelta as Call
from schemas.usage import Usage
from services.conversation_turn import ConversationTurn
from services.conversations import ConversationService, Listing
from tests.fakes import FakeClock
from tests.unit.services.store_fake import DictStore

ASKED = StoredItem({"type": "message", "role": "user", "status": "completed", "content": []})
USAGE = Usage(uncached=3, output=2)


class House:
    """One conversation, and a turn in it."""

    def __init__(self, **settings: Any) -> None:
        self.store = DictStore()
        self.service = ConversationService(self.store.records, ConversationSettings(**settings), FakeClock())
        self.ident = self.service.create("ann", {}, []).id
        self.outcome = Outcome("m", stream=True, provider="p", upstream_model="m-up")

    def turn(self, *chunks: ChatChunk) -> ConversationTurn:
        """One that has heard these."""
        turn = self.service.turn(self.service.get("ann", self.ident), [ASKED], "req-1")
        assert list(turn.hear(iter(chunks))) == list(chunks)
        return turn

    def ended(self, *chunks: ChatChunk, reason: str | None = "stop", error: str | None = None) -> list[dict[str, Any]]:
        """What is kept after that end, the question aside."""
        self.outcome.finish_reason, self.outcome.error = reason, error
        self.turn(*chunks).end(self.outcome)
        return self.kept[1:]

    @property
    def kept(self) -> list[dict[str, Any]]:
        items: Sequence[StoredItem] = self.service.items("ann", self.ident, Listing(limit=100, ascending=True))[0]
        return [{name: value for name, value in item.item.items() if name != "id"} for item in items]


def shown(item: dict[str, Any]) -> tuple[str, str, str]:
    """Type, text and status."""
    said = item.get("arguments") or "".join(part["text"] for part in item["content"])
    return item["type"], said, item["status"]


def test_what_is_said_is_put_together() -> None:
    chunks = (
        Started(), KeepAlive(), ReasoningDelta("let me"), ReasoningDelta(" see"), Signature("sig"), Text("He"),
        Passed(RawEvent(b"", None, {})), Text("llo"), Call(1, "b", "clock", "{}"), Call(0, "a", "look"),
        Call(0, arguments='{"x":1}'), Finished("tool_calls"),
    )  # fmt: skip
    kept = House().ended(*chunks)
    assert [shown(item) for item in kept] == [
        ("reasoning", "let me see", "completed"),
        ("message", "Hello", "completed"),
        ("function_call", '{"x":1}', "completed"),
        ("function_call", "{}", "completed"),
    ]
    assert [item["call_id"] for item in kept[2:]] == ["a", "b"]


def test_thinking_is_kept_in_the_blocks_it_came_in() -> None:
    house = House()
    house.ended(
        ReasoningDelta("a"), Signature("s1"), Signature("sealed", redacted=True), ReasoningDelta("b"), Text("x")
    )
    items = house.service.items("ann", house.ident, Listing(ascending=True))[0][1:4]
    assert [(item.item.get("encrypted_content"), item.seal) for item in items] == [
        ("s1", "signature"), ("sealed", "redacted"), (None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "error", "status", "why"),
    [
        ("stop", None, "completed", None),
        ("tool_calls", None, "completed", None),
        ("length", None, "incomplete", "max_output_tokens"),
        ("content_filter", None, "incomplete", "content_filter"),
        (None, "upstream_broken", "incomplete", "upstream_broken"),
        (None, None, "incomplete", "client_closed_request"),
    ],
)
def test_how_it_ended_is_told(reason: str | None, error: str | None, status: str, why: str | None) -> None:
    house = House()
    house.outcome.usage, house.outcome.cost = USAGE, 0.25
    kept = house.ended(Text("Hi"), reason=reason, error=error)
    assert (kept[0]["status"], house.outcome.turn) == (status, status)
    ((turn,), _) = house.service.turns("ann", house.ident, Listing())
    assert (turn.status, turn.reason, turn.finish_reason) == (status, why, reason)
    assert (turn.model, turn.provider, turn.upstream_model, turn.request_id) == ("m", "p", "m-up", "req-1")
    assert (turn.usage, turn.cost_usd) == (USAGE, 0.25)


def test_what_has_not_begun_leaves_nothing() -> None:
    house = House()
    assert house.ended(Started(), KeepAlive(), reason=None, error="upstream_timeout") == []
    assert (house.kept, house.outcome.turn) == ([], None)


def test_an_answer_that_says_nothing_is_an_answer() -> None:
    house = House()
    assert house.ended(Finished("stop")) == []
    assert (len(house.kept), house.outcome.turn) == (1, "completed")


def test_it_is_kept_once() -> None:
    house = House()
    turn = house.turn(Text("Hi"))
    house.outcome.finish_reason = "stop"
    turn.end(house.outcome)
    house.outcome.finish_reason = None
    turn.end(house.outcome)
    assert (len(house.kept), house.outcome.turn) == (2, "completed")


def test_a_store_that_is_away_is_told_and_nothing_raised() -> None:
    house = House()
    turn = house.turn(Text("Hi"))
    house.store.records.away = True
    house.outcome.finish_reason = "stop"
    turn.end(house.outcome)
    assert house.outcome.turn == "unstored"
    house.store.records.away = False
    assert house.kept == []


def test_a_question_for_which_there_is_no_room_is_refused() -> None:
    house = House(max_items=1)
    house.service.add_items("ann", house.ident, [ASKED])
    with pytest.raises(InvalidRequest, match="1 items"):
        house.turn()
