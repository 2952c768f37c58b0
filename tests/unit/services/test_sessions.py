"""Which conversation a request belongs to."""

import tracemalloc
from hashlib import sha256
from typing import Any

import pytest

from schemas.chat import ChatRequest, Message, Native, TextPart
from schemas.codec import dumps
from services.sessions import is_followed, session_of

SYSTEM = Message("system", (TextPart("You are a poet."),))
ASK = Message("user", (TextPart("Begin"),))
ANSWER = Message("assistant", (TextPart("So be it"),))


def session(*messages: Message, headers: dict[str, str] | None = None, tenant: str = "t", **body: Any) -> str:
    request = ChatRequest("m", messages or (SYSTEM, ASK), Native("openai_chat", body, headers=headers or {}))
    return session_of(request, tenant)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"x-claude-code-session-id": "abc"}, {}),
        ({"session-id": "abc"}, {}),
        ({}, {"prompt_cache_key": "abc"}),
        ({}, {"metadata": {"user_id": dumps({"device_id": "d", "session_id": "abc"}).decode()}}),
        ({}, {"metadata": {"user_id": "user_f00_account__session_abc"}}),
    ],
)
def test_what_the_client_calls_its_session_counts(headers: dict[str, str], body: dict[str, Any]) -> None:
    here = session(headers=headers, **body)
    assert here == session(ASK, ANSWER, headers=headers, **body)
    assert here != session()
    assert here != session(headers={"session-id": "abd"})


def test_a_conversation_is_else_known_by_how_it_begins() -> None:
    assert session(SYSTEM, ASK) == session(SYSTEM, ASK, ANSWER, Message("user", (TextPart("More"),)))
    assert session(SYSTEM, ASK) != session(SYSTEM, Message("user", (TextPart("End"),)))
    assert session(SYSTEM, ASK) != session(ASK)


def test_it_is_that_of_all_texts_with_a_zero_between_and_copies_none_of_them() -> None:
    long = ("words, " * 20_000) + "🙂" * 100_000
    expected = sha256("\0".join(("t", "begun", "You are a poet.", long)).encode()).hexdigest()[:32]
    said = Message("user", (TextPart(long),))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        assert session(SYSTEM, said) == expected
        assert tracemalloc.get_traced_memory()[1] - before < 700_000
    finally:
        tracemalloc.stop()


def test_two_tenants_never_share_one() -> None:
    assert session(tenant="a") != session(tenant="b")
    assert session(headers={"session-id": "x"}, tenant="a") != session(headers={"session-id": "x"}, tenant="b")


def test_a_name_cannot_be_made_to_look_like_a_beginning() -> None:
    assert session(headers={"session-id": "You are a poet.\0Begin"}) != session(SYSTEM, ASK)


@pytest.mark.parametrize("metadata", [5, {"user_id": 5}, {"user_id": "{"}, {"user_id": "[1]"}, {"user_id": "{}"}, {}])
def test_metadata_that_names_no_session_is_none(metadata: Any) -> None:
    assert session(metadata=metadata) == session()


def test_it_is_opaque_and_short() -> None:
    assert len(session(headers={"session-id": "x" * 10_000})) == 32


@pytest.mark.parametrize(
    ("messages", "headers", "followed"),
    [
        ((SYSTEM, ASK), {}, False),
        ((SYSTEM, ASK, ANSWER, ASK), {}, True),
        ((SYSTEM, ASK), {"x-session-id": "abc"}, True),
    ],
)
def test_a_first_question_without_a_name_may_begin_anywhere(
    messages: tuple[Message, ...], headers: dict[str, str], followed: bool
) -> None:
    assert is_followed(ChatRequest("m", messages, Native("openai_chat", {}, headers=headers))) is followed


def test_a_conversation_that_the_gateway_keeps_is_a_session_when_the_client_names_none() -> None:
    kept, mine = {"x-conversation-id": "conv_1"}, {"x-session-id": "mine"}
    assert session(headers=kept) == session(ASK, ANSWER, headers=kept)
    assert len({session(headers=kept), session(headers={"x-conversation-id": "conv_2"}), session()}) == 3
    assert session(headers={**kept, **mine}) == session(headers=mine)
    assert session(headers=kept, prompt_cache_key="abc") == session(prompt_cache_key="abc")
