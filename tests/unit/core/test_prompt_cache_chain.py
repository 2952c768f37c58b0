"""How a prompt is cut into segments: in the provider's order, and the same for the same prompt."""

from copy import deepcopy
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.prompt_cache.chain import MOST_SEGMENTS, Chain, chain_of
from core.prompt_cache.media import MEDIA_CHARACTERS
from tests.unit.core.prompt_cache_kit import HOUR, MARK, blocks, talk

TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object"}}
CLAUDE_BODY = {
    "model": "claude-opus-5-5",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c"},
    ],
    "system": [{"type": "text", "text": "s"}, {"type": "text", "text": "t"}],
    "tools": [TOOL],
}


def labels(chain: Chain) -> list[str]:
    return [segment.label for segment in chain.segments]


def marks(chain: Chain) -> dict[str, str]:
    return {segment.label: segment.mark for segment in chain.segments if segment.mark is not None}


def digests(chain: Chain) -> list[str]:
    return [segment.digest for segment in chain.segments]


@pytest.mark.parametrize(
    ("form", "body", "expected"),
    [
        (
            "anthropic_messages",
            CLAUDE_BODY,
            ["tools", "system[0]", "system[1]", "messages[0].content[0]", "messages[0].content[1]", "messages[1]"],
        ),
        (
            "anthropic_messages",
            {"system": "s", "messages": [{"role": "user", "content": "a"}]},
            ["system", "messages[0]"],
        ),
        (
            "openai_chat",
            {**talk("a", "b"), "tools": [{"type": "function", "function": {"name": "f"}}], "system": "not a field"},
            ["tools", "messages[0]", "messages[1]"],
        ),
        (
            "gemini",
            {
                "contents": [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}],
                "systemInstruction": {"parts": [{"text": "s"}]},
                "tools": [{"functionDeclarations": [{"name": "f"}]}],
            },
            ["tools", "systemInstruction.parts[0]", "contents[0].parts[0]", "contents[0].parts[1]"],
        ),
        ("ollama", {"messages": [{"role": "user", "content": "a", "images": ["aa"]}]}, ["messages[0]"]),
        ("glm_web", {"messages": [{"role": "user", "content": "a"}], "params": {}, "chat_id": "1"}, ["messages[0]"]),
    ],
)
def test_tools_stand_ahead_of_the_system_prompt_and_that_ahead_of_the_turns(form, body, expected):
    assert labels(chain_of(body, form)) == expected


def test_each_digest_is_that_of_everything_up_to_its_block():
    whole = digests(chain_of(CLAUDE_BODY, "anthropic_messages"))
    assert len(set(whole)) == len(whole)
    assert all(len(bytes.fromhex(digest)) == 16 for digest in whole)
    other = deepcopy(CLAUDE_BODY)
    other["system"][1]["text"] = "changed"
    changed = digests(chain_of(other, "anthropic_messages"))
    assert changed[:2] == whole[:2]
    assert not set(changed[2:]) & set(whole)


def test_a_mark_is_noted_with_its_ttl_and_is_no_part_of_the_prompt():
    marked = deepcopy(CLAUDE_BODY)
    marked["tools"][0]["cache_control"] = MARK
    marked["system"][1]["cache_control"] = HOUR
    marked["messages"][0]["content"][1]["cache_control"] = MARK
    chain = chain_of(marked, "anthropic_messages")
    assert marks(chain) == {"tools": "", "system[1]": "1h", "messages[0].content[1]": ""}
    assert chain.marks == (1, 3, 5)
    bare = chain_of(CLAUDE_BODY, "anthropic_messages")
    assert digests(chain) == digests(bare)
    assert (marks(bare), bare.marks) == ({}, ())


def test_a_mark_inside_the_result_of_a_tool_marks_that_block():
    def body(mark):
        inner = [{"type": "text", "text": "a", **mark}, "b"]
        return {
            "messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": inner}]}]
        }

    marked = chain_of(body({"cache_control": HOUR}), "anthropic_messages")
    assert marks(marked) == {"messages[0].content[0]": "1h"}
    assert digests(marked) == digests(chain_of(body({}), "anthropic_messages"))


def test_a_mark_of_the_whole_request_is_one_on_its_last_block():
    chain = chain_of({**CLAUDE_BODY, "cache_control": HOUR}, "anthropic_messages")
    assert marks(chain) == {"messages[1]": "1h"}
    assert marks(chain_of({"cache_control": MARK}, "anthropic_messages")) == {}


def test_marks_on_messages_and_in_openais_own_words_are_noted():
    part = {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    body = {"messages": [{"role": "user", "content": [part, {"type": "text", "text": "b"}], "cache_control": MARK}]}
    assert marks(chain_of(body, "openai_chat")) == {"messages[0].content[0]": "12h", "messages[0].content[1]": ""}
    assert digests(chain_of(body, "openai_chat"))[-1] != digests(chain_of(talk("ab"), "openai_chat"))[-1]


def test_a_mark_of_null_is_none():
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": None}]}]}
    chain = chain_of(body, "anthropic_messages")
    assert (chain.marks, chain.digest) == ((), chain_of(talk("a"), "anthropic_messages").digest)


def test_the_block_that_claude_code_changes_with_every_request_is_no_part_of_the_prompt():
    system = CLAUDE_BODY["system"]
    first, second = (
        {**CLAUDE_BODY, "system": [{"type": "text", "text": f"x-anthropic-billing-header: cch={word};"}, *system]}
        for word in ("a", "b")
    )
    chains = [chain_of(body, "anthropic_messages") for body in (first, second, CLAUDE_BODY)]
    assert len({chain.digest for chain in chains}) == 1
    assert labels(chains[0])[1:3] == ["system[1]", "system[2]"]


@pytest.mark.parametrize("form", ["anthropic_messages", "openai_chat"])
def test_a_string_is_the_same_prompt_as_one_block_of_text(form):
    parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}
    assert digests(chain_of(parts, form)) == digests(chain_of(talk("a"), form))


def test_turns_of_one_role_in_a_row_are_one_turn_to_anthropic_only():
    apart = {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}
    joined = {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]}
    same, other = (
        [chain_of(body, form).digest for body in (apart, joined)] for form in ("anthropic_messages", "openai_chat")
    )
    assert same[0] == same[1]
    assert other[0] != other[1]


def test_who_speaks_and_what_belongs_to_a_turn_are_part_of_the_prompt():
    plain = {"role": "assistant", "content": "a"}
    turns = (
        plain,
        {**plain, "role": "user"},
        {**plain, "reasoning_content": "r"},
        {**plain, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "assistant", "content": ""},
    )
    assert len({chain_of({"messages": [turn]}, "openai_chat").digest for turn in turns}) == len(turns)


def test_what_belongs_to_a_turn_stands_at_its_end_and_is_told_from_its_content():
    part, more = {"type": "text", "text": "a"}, {"name": "n"}
    bodies = (
        {"messages": [{"role": "user", "content": content, **fields}]}
        for content, fields in (([part, part], {}), ([part, part], more), ([part, part, more], {}))
    )
    plain, named, longer = (digests(chain_of(body, "openai_chat")) for body in bodies)
    assert plain[0] == named[0] == longer[0]
    assert len({plain[-1], named[-1], longer[-1]}) == 3


def test_the_order_of_keys_counts_as_it_does_for_a_provider():
    schemas = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    chains = [chain_of({"tools": [{"name": "f", "input_schema": schema}]}, "openai_chat") for schema in schemas]
    assert chains[0].digest != chains[1].digest


def test_only_parameters_that_a_cache_depends_on_are_noted_each_by_itself():
    body = blocks("a", thinking={"type": "adaptive"}, output_config={"effort": "high"}, max_tokens=9, temperature=1)
    chain = chain_of(body, "anthropic_messages", {"anthropic-beta": "x"})
    assert set(chain.parameters) == {"model", "thinking", "output_config.effort", "anthropic-beta"}
    other = chain_of({**body, "thinking": None, "max_tokens": 1}, "anthropic_messages", {"anthropic-beta": "y"})
    assert set(other.parameters) == {"model", "output_config.effort", "anthropic-beta"}
    assert {name for name, digest in other.parameters.items() if digest != chain.parameters[name]} == {"anthropic-beta"}
    assert other.digest == chain.digest


def test_what_differs_with_every_request_is_no_parameter():
    first, second = (
        talk("a", prompt_cache_options={"mode": "implicit", "comparison_response_id": ident}, stream=True, seed=1)
        for ident in ("resp_1", "resp_2")
    )
    assert chain_of(first, "openai_chat").parameters == chain_of(second, "openai_chat").parameters


def test_openais_own_mark_can_be_switched_off():
    assert chain_of(talk("a"), "openai_chat").automatic
    assert not chain_of(talk("a", prompt_cache_options={"mode": "explicit"}), "openai_chat").automatic


def test_characters_are_counted_not_bytes():
    latin, chinese = (chain_of(talk(text * 100), "openai_chat").characters() for text in ("ab", "汉字"))
    assert latin == chinese


def test_an_image_counts_no_more_than_the_text_that_costs_as_much():
    def image(size):
        source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0K" * (size // 8)}
        return {"messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}

    small, large = (chain_of(image(size), "anthropic_messages").characters() for size in (10_000, 1_000_000))
    assert small == large
    assert MEDIA_CHARACTERS < large < MEDIA_CHARACTERS + 200
    assert chain_of(image(10_000), "anthropic_messages").digest != chain_of(image(10_008), "anthropic_messages").digest


def test_an_image_beside_the_content_counts_no_more_either():
    body = {"messages": [{"role": "user", "content": "a", "images": ["iVBORw0K" * 10_000]}]}
    assert chain_of(body, "ollama").characters() < MEDIA_CHARACTERS + 200


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_use", "id": "1", "name": "f", "input": {"text": "a word " * 2_000}},
        {"type": "tool_result", "tool_use_id": "1", "content": "汉字" * 7_000},
        {"type": "text", "text": "abcdefgh" * 2_000},
    ],
)
def test_long_text_counts_in_full(block):
    chain = chain_of({"messages": [{"role": "user", "content": [block]}]}, "anthropic_messages")
    assert chain.characters() > 14_000


@pytest.mark.parametrize("form", ["openai_chat", "anthropic_messages", "gemini", "ollama", "glm_web"])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": None, "contents": None, "system": None, "tools": None, "systemInstruction": None},
        {"messages": "x", "contents": {}, "system": 3, "tools": {}, "systemInstruction": {"parts": None}},
        {"messages": [None, 1, "x", []], "contents": [{}], "tools": [None, "x"], "system": [None, 3]},
        {"messages": [{"role": None, "content": 5}, {"content": [None, [1], "x"]}], "generationConfig": []},
    ],
)
def test_a_malformed_body_has_a_chain_that_is_always_the_same(form, body):
    assert chain_of(body, form) == chain_of(deepcopy(body), form)


def test_nothing_that_was_sent_has_an_empty_chain():
    chain = chain_of({}, "openai_chat")
    assert (len(chain), chain.digest, chain.characters(), chain.label(0)) == (0, "", 0, None)


def test_a_prompt_of_absurdly_many_blocks_has_none():
    def chain(count):
        content = [{"type": "text", "text": "a"}] * count
        return chain_of(
            {"messages": [{"role": "user", "content": content}], "cache_control": MARK}, "anthropic_messages"
        )

    assert len(chain(MOST_SEGMENTS)) == MOST_SEGMENTS
    assert len(chain(MOST_SEGMENTS + 1)) == len(chain(2 * MOST_SEGMENTS + 5)) == 0


def test_a_long_prompt_takes_milliseconds():
    body = blocks(*("word lorem ipsum\n" * 23 for _ in range(2_000)))
    began = process_time()
    chain = chain_of(body, "anthropic_messages")
    assert len(chain) == 2_000
    assert process_time() - began < 0.1


words = st.text(st.characters(codec="utf-8"), max_size=12)
roles = st.sampled_from(["user", "assistant"])
text_blocks = st.fixed_dictionaries({"type": st.just("text"), "text": words})
turns = st.lists(
    st.fixed_dictionaries({"role": roles, "content": st.one_of(words, st.lists(text_blocks, max_size=3))}), max_size=6
)
forms = st.sampled_from(["openai_chat", "anthropic_messages", "ollama", "glm_web"])


@given(forms, turns, turns)
def test_the_chain_of_a_longer_conversation_begins_with_that_of_the_shorter_one(form, said, more):
    shorter, longer = chain_of({"messages": said}, form), chain_of({"messages": said + more}, form)
    assert digests(longer)[: len(shorter)] == digests(shorter)


@given(forms, st.lists(text_blocks, min_size=1, max_size=8), st.data())
def test_a_change_of_one_block_shows_from_that_block_on(form, said, data):
    place = data.draw(st.integers(0, len(said) - 1))
    changed = [*said]
    changed[place] = {"type": "text", "text": said[place]["text"] + "."}
    before, after = (
        digests(chain_of({"messages": [{"role": "user", "content": content}]}, form)) for content in (said, changed)
    )
    assert before[:place] == after[:place]
    assert not set(before[place:]) & set(after[place:])
