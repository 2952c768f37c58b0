"""Where an OpenAI client's prompt is marked for Anthropic's cache."""

import pytest

from schemas.chat import DocumentPart, HostedTool, ImagePart, Message, ResponseFormat, TextPart, Tool, ToolCall
from schemas.codec import loads
from tests.unit.core.anthropic_kit import (
    ABILITIES,
    assistant,
    body,
    built,
    chat,
    compatible,
    result,
    system,
    target,
    user,
)

SHORT, LONG = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
CACHED = target(abilities=ABILITIES | {"prompt_cache"})


def part(text, mark=None):
    return TextPart(text, mark)


def marks(sent):
    """What is marked and how, in the order of the prefix."""
    blocks = [*sent.get("tools", ()), *sent.get("system", ())]
    blocks += [block for turn in sent["messages"] for block in turn["content"]]
    named = [(block.get("name") or block.get("text") or block["type"], block.get("cache_control")) for block in blocks]
    return {name: mark for name, mark in named if mark}


def test_tools_instructions_and_the_last_two_turns_of_the_users_are_marked():
    messages = (
        system("s1"),
        system("s2"),
        user("a"),
        assistant("x"),
        user("b"),
        assistant("y"),
        user("c1"),
        user("c2"),
    )
    sent = body(chat(*messages, tools=(Tool("f"), Tool("g"))), CACHED)
    assert marks(sent) == {"g": SHORT, "s2": SHORT, "b": SHORT, "c2": SHORT}


def test_a_short_conversation_has_fewer_marks():
    assert marks(body(chat(user("a")), CACHED)) == {"a": SHORT}


def test_results_of_tools_are_turns_of_the_users():
    messages = (user("a"), assistant("", ToolCall("c1", "f", "{}")), result("c1"))
    assert marks(body(chat(*messages), CACHED)) == {"a": SHORT, "tool_result": SHORT}


def test_the_mark_stands_ahead_of_what_is_said_anew_with_every_request():
    wanted = ResponseFormat("json_object")
    assert list(
        marks(body(chat(user("a"), response_format=wanted), target("glm", abilities=CACHED.info.abilities)))
    ) == ["a"]


@pytest.mark.parametrize(("to", "provider"), [(target(), None), (CACHED, compatible())])
def test_nothing_is_marked_where_no_cache_is_known_or_the_host_caches_by_itself(to, provider):
    assert marks(body(chat(system("s"), tools=(Tool("f"),)), to, provider)) == {}


def test_a_client_that_marks_by_itself_is_given_its_own_marks_only():
    messages = (
        Message("system", (part("s", LONG),)),
        Message("user", (part("a"), ImagePart("https://i", cache=SHORT), DocumentPart(text="d", cache=SHORT))),
        assistant("x"),
        user("b"),
    )
    for provider in (None, compatible()):
        sent = body(chat(*messages, tools=(Tool("f"),)), CACHED, provider)
        assert marks(sent) == {"s": LONG, "image": SHORT, "document": SHORT}


def test_tools_calls_and_results_can_be_marked():
    call = ToolCall("c1", "f", "{}", cache=SHORT)
    messages = (user("a"), assistant("", call), result("c1", part("r", SHORT)))
    hosted = HostedTool("web_search_20250305", {"name": "web_search", "cache_control": SHORT})
    sent = body(chat(*messages, tools=(Tool("g", cache=SHORT), hosted)), CACHED)
    assert marks(sent) == {"g": SHORT, "web_search": SHORT, "f": SHORT, "tool_result": SHORT}
    assert "cache_control" not in sent["messages"][2]["content"][0]["content"][0]


def test_no_more_than_four_marks_are_sent():
    upstream = built(chat(Message("user", tuple(part(str(i), SHORT) for i in range(6)))), CACHED)
    assert list(marks(loads(upstream.body))) == ["0", "1", "2", "3"]
    assert upstream.dropped == ("cache_control",)


def test_the_automatic_mark_is_one_of_the_four():
    asked = chat(Message("user", tuple(part(str(i), SHORT) for i in range(4))), extra={"cache_control": SHORT})
    assert list(marks(body(asked, CACHED))) == ["0", "1", "2"]
    assert marks(body(chat(extra={"cache_control": SHORT}), CACHED)) == {}


def test_an_hour_is_not_asked_for_behind_five_minutes():
    upstream = built(chat(Message("user", (part("a", LONG), part("b", SHORT), part("c", LONG)))), CACHED)
    assert marks(loads(upstream.body)) == {"a": LONG, "b": SHORT, "c": SHORT}
    assert upstream.dropped == ("cache_control.ttl",)


def test_the_request_itself_is_not_changed_by_marking():
    mark = dict(LONG)
    hosted = {"name": "web_search"}
    asked = chat(
        Message("user", (part("a", SHORT), part("b", mark))), tools=(HostedTool("web_search_20250305", hosted),)
    )
    assert body(asked, CACHED) == body(asked, CACHED)
    body(chat(tools=(HostedTool("web_search_20250305", hosted),)), CACHED)
    assert (mark, hosted) == (LONG, {"name": "web_search"})
