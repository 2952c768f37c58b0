"""What becomes of the body of an Anthropic client on its way to a provider of the same form."""

import json
import time

import pytest

from core.providers.anthropic_body import safe_id
from core.providers.glm_anthropic import GLMAnthropic
from schemas.chat import UNSIGNED, Message, ThinkingBlock
from schemas.codec import loads
from tests.fakes import FakeClock
from tests.unit.core.anthropic_kit import body, built, claude, compatible, native, target

RAW = (
    b'\n{ "max_tokens" : 10,\t"temperature":1.0 , "top_p":1e-7,\r\n "unknown":{"a" : [1.50,12345678901234567890123]},'
    b'"messages":[{"role":"user","content":[{"type":"text","text":"caf\\u00e9 \\/ \xc3\xa9","cache_control":'
    b'{"type":"ephemeral","ttl":"1h"}}]}], "tools":[{"name":"f","input_schema":{"properties":{"model":{"type":'
    b'"string"}}}}],"model"\n :\t"alias", "stream":true}\n'
)
NAME = b'"claude-opus-4-8"'
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "sig"}
SEALED = {"type": "redacted_thinking", "data": "blob"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
ASKED = {"role": "user", "content": "hi"}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}]}
BILLING = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cc_entrypoint=cli;"}
FOREIGN = ThinkingBlock("hm", "sig", issuer="glm")


def glm():
    return GLMAnthropic("glm", "https://api.z.ai/api/anthropic", FakeClock())


def history(*blocks, thinking=None, **fields):
    """A body whose last answer has `blocks`, as bytes that no encoder of ours writes."""
    value = {"model": "alias", "messages": [ASKED, {"role": "assistant", "content": list(blocks)}, RESULT], **fields}
    return json.dumps(value if thinking is None else {**value, "thinking": thinking}).encode()


def remembered(*blocks):
    return Message("assistant", thinking=blocks)


def test_nothing_but_the_models_name_is_changed():
    assert built(native(RAW)).body == RAW.replace(b'"alias"', NAME)
    assert built(native(RAW), provider=compatible()).body == RAW.replace(b'"alias"', NAME)
    assert built(native(RAW), provider=glm()).body == RAW.replace(b'"alias"', NAME)


def test_a_body_that_names_the_target_already_is_sent_as_it_is():
    sent = built(native(RAW), target("alias"))
    assert (sent.body, sent.dropped) == (RAW, ())


def test_where_the_name_is_not_plain_the_body_is_written_anew_with_its_keys_in_order():
    raw = b'{"model":"alias","temperature":1.0,"top_p":1e-7,"metadata":{"model":"alias"},"z":"\\u00e9"}'
    assert built(native(raw)).body == raw.replace(b'"alias"', NAME, 1).replace(b"\\u00e9", "é".encode())


def test_a_body_without_a_model_is_given_one():
    assert built(native(b'{"max_tokens":1}')).body == b'{"max_tokens":1,"model":"claude-opus-4-8"}'


def test_a_repaired_body_is_written_from_its_value():
    request = native({"messages": [], "model": "alias", "temperature": 1.0}, repaired=True)
    assert built(request).body == b'{"messages":[],"model":"claude-opus-4-8","temperature":1.0}'


def test_a_long_body_costs_little_more_than_to_parse_it():
    text = 'Some prose with a model in it, and "quotes".\n' * 20
    blocks = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}} for _ in range(1100)]
    request = native(json.dumps({"messages": [{"role": "user", "content": blocks}], "model": "alias"}).encode())
    assert len(request.native.raw) > 1_000_000

    def seconds(work):
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    parsed, written = zip(
        *((seconds(lambda: loads(request.native.raw)), seconds(lambda: built(request))) for _ in range(20)), strict=True
    )
    # It is searched a few times and copied once, which takes about twice as long as to parse it.
    assert min(written) < 4 * min(parsed)


def test_thinking_that_another_family_of_providers_signed_is_left_out_and_named():
    raw = history(THOUGHT, SEALED, {"type": "text", "text": "a"}, CALL)
    blocks = (FOREIGN, ThinkingBlock(data="blob", issuer="glm"))
    sent = built(native(raw, remembered(*blocks)))
    assert loads(sent.body)["messages"][1]["content"] == [{"type": "text", "text": "a"}, CALL]
    assert sent.dropped == ("messages.thinking",)


@pytest.mark.parametrize("issuer", ["anthropic", None])
def test_own_thinking_and_thinking_of_unknown_origin_stay_to_the_byte(issuer):
    raw = history(THOUGHT, SEALED, CALL)
    blocks = (ThinkingBlock("hm", "sig", issuer=issuer), ThinkingBlock(data="blob", issuer=issuer))
    sent = built(native(raw, remembered(*blocks)))
    assert (sent.body, sent.dropped) == (raw.replace(b'"alias"', NAME), ())


def test_only_the_foreign_ones_of_several_blocks_are_left_out():
    own = {"type": "thinking", "thinking": "hm", "signature": "other"}
    sent = body(
        native(history(THOUGHT, own, CALL), remembered(FOREIGN, ThinkingBlock("hm", "other", issuer="anthropic")))
    )
    assert sent["messages"][1]["content"] == [own, CALL]


def test_what_is_foreign_depends_on_the_provider():
    raw = history(THOUGHT, CALL)
    assert built(native(raw, remembered(FOREIGN)), provider=glm()).body == raw.replace(b'"alias"', NAME)
    assert b"sig" not in built(native(raw, remembered(FOREIGN)), provider=compatible()).body


@pytest.mark.parametrize("signature", [UNSIGNED, "gateway:anything"])
@pytest.mark.parametrize("make", [claude, compatible, glm])
def test_signatures_of_the_gateways_own_go_to_nobody_and_are_no_loss(signature, make):
    sent = built(native(history({**THOUGHT, "signature": signature}, CALL)), provider=make())
    assert loads(sent.body)["messages"][1]["content"] == [CALL]
    assert sent.dropped == ()


def test_a_turn_of_which_nothing_is_left_is_left_out():
    assert body(native(history(THOUGHT), remembered(FOREIGN)))["messages"] == [ASKED, RESULT]


def test_refused_thinking_is_left_out_whoever_signed_it():
    own = remembered(ThinkingBlock("hm", "sig", issuer="anthropic"))
    sent = built(native(history(THOUGHT, SEALED, CALL), own, omit=frozenset({"thinking_replay"})))
    assert loads(sent.body)["messages"][1]["content"] == [CALL]
    assert sent.dropped == ("messages.thinking",)


ENABLED = {"type": "enabled", "budget_tokens": 2000}


def test_a_budget_without_thinking_ahead_of_the_last_call_is_switched_off():
    sent = built(native(history(THOUGHT, CALL, thinking=ENABLED), remembered(FOREIGN)))
    assert loads(sent.body)["thinking"] == {"type": "disabled"}
    assert sent.dropped == ("messages.thinking", "thinking")


def test_with_thinking_go_the_edits_of_the_context_that_demand_it():
    edits = [{"type": "clear_thinking_20251015", "keep": "all"}, {"type": "clear_tool_uses_20250919"}]
    fields = {"thinking": ENABLED, "context_management": {"edits": edits, "x": 1}}
    assert body(native(history(THOUGHT, CALL, **fields), remembered(FOREIGN)))["context_management"] == {
        "edits": edits[1:],
        "x": 1,
    }
    fields["context_management"] = {"edits": edits[:1]}
    assert "context_management" not in body(native(history(THOUGHT, CALL, **fields), remembered(FOREIGN)))


@pytest.mark.parametrize(
    ("blocks", "thinking"),
    [
        ((THOUGHT, CALL), {"type": "adaptive"}),
        ((THOUGHT, {"type": "text", "text": "a"}), ENABLED),
        ((THOUGHT, {**THOUGHT, "signature": "own"}, CALL), ENABLED),
    ],
)
def test_thinking_stays_on_where_anthropic_takes_it(blocks, thinking):
    sent = body(native(history(*blocks, thinking=thinking), remembered(FOREIGN)))
    assert sent["thinking"] == thinking
    assert THOUGHT not in sent["messages"][1]["content"]


def test_a_loop_that_another_provider_began_without_thinking_goes_on_without():
    sent = body(native(history(CALL, thinking=ENABLED)))
    assert sent["thinking"] == {"type": "disabled"}


def test_claude_codes_changing_block_stays_with_anthropic_only():
    own = {"type": "text", "text": "You are …", "cache_control": {"type": "ephemeral"}}
    raw = json.dumps({"model": "alias", "system": [BILLING, own], "messages": []}).encode()
    assert built(native(raw)).body == raw.replace(b'"alias"', NAME)
    for provider in (compatible(), glm()):
        assert body(native(raw), provider=provider)["system"] == [own]
        alone = {"model": "alias", "system": [BILLING], "messages": []}
        assert list(body(native(alone), provider=provider)) == ["model", "messages"]


@pytest.mark.parametrize("system", ["x-anthropic-billing-header: as plain text", [{"type": "text", "text": "a"}], None])
def test_any_other_system_prompt_stays_to_the_byte(system):
    raw = json.dumps({"model": "alias", "system": system, "messages": []}).encode()
    assert built(native(raw), provider=glm()).body == raw.replace(b'"alias"', NAME)


@pytest.mark.parametrize("ident", ["functions.f:0", "a" * 65, "call é", ""])
def test_ids_that_anthropic_refuses_are_changed_alike_on_both_sides(ident):
    call, result = {**CALL, "id": ident}, {"type": "tool_result", "tool_use_id": ident}
    sent = body(native({"messages": [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]}))
    made, answered = sent["messages"][0]["content"][0]["id"], sent["messages"][1]["content"][0]["tool_use_id"]
    assert made == answered == safe_id(ident) != ident
    assert safe_id(made) == made


def test_different_ids_stay_different_and_good_ones_stay():
    assert len({safe_id(ident) for ident in ("a.b", "a:b", "a_b", "a-b")}) == 4
    assert safe_id("toolu_01-x") == "toolu_01-x"


@pytest.mark.parametrize(
    "messages", ["text", [7, "x"], [{"role": "assistant", "content": [7, {"type": {}}, {"type": "tool_use", "id": 5}]}]]
)
def test_what_is_malformed_is_left_for_the_provider_to_refuse(messages):
    raw = json.dumps({"model": "alias", "messages": messages}).encode()
    assert built(native(raw)).body == raw.replace(b'"alias"', NAME)
