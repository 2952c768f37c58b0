"""How the body of an OpenAI client goes on to a provider of OpenAI's own form."""

from typing import Any

import pytest

from core.providers.deepseek import DeepSeek
from core.providers.groq import Groq
from core.providers.openai_compatible import OpenAICompatible
from core.providers.openai_platform import OpenAI
from schemas.chat import ChatRequest, Message, Native, TextPart, ThinkingBlock, ThinkingOptions, ToolCall
from schemas.codec import dumps, loads
from schemas.credential import Credential
from schemas.model import ModelInfo, Target
from tests.fakes import FakeClock

TARGET = Target("p", "vendor/model-1", ModelInfo("m", "o", 0, 0, {}))
UNSAID = ThinkingOptions()
HI = b'{"role":"user","content":"hi"}'


def sent(
    raw: bytes,
    *,
    kind: Any = OpenAICompatible,
    messages: tuple[Message, ...] = (),
    omit: frozenset[str] = frozenset(),
    thinking: ThinkingOptions = UNSAID,
) -> tuple[bytes, tuple[str, ...]]:
    """What goes upstream for the body `raw`, and what was left out."""
    body = loads(raw)
    native = Native("openai_chat", body, raw)
    request = ChatRequest("m", messages, native, stream=bool(body.get("stream")), thinking=thinking, omit=omit)
    upstream = kind("p", "https://host/v1", FakeClock()).build(request, TARGET, Credential("p", "sk-1"), "req-12345")
    return upstream.body, upstream.dropped


def test_every_byte_but_the_models_name_stays() -> None:
    raw = (
        b'{ "messages" : [{"role":"user","content":"caf\\u00e9 \\"model\\": \\"m\\""}],\n\t"temperature":1.0,'
        b'"x_new":{"a":[1e-7,0.10]}, "model" :"m","tools":[{"type":"function","function":{"name":"f",'
        b'"parameters":{"properties":{"model":{}}}}}]}'
    )
    body, dropped = sent(raw)
    assert body == raw.replace(b'"model" :"m"', b'"model" :"vendor/model-1"')
    assert dropped == ()


def test_a_stream_is_asked_for_its_usage_and_nothing_else_changes() -> None:
    raw = b'{"model":"m","stream":true,"messages":[' + HI + b'],"seed": 7}'
    body, _ = sent(raw)
    assert body == b'{"stream_options":{"include_usage":true},' + raw[1:].replace(b'"m"', b'"vendor/model-1"')


def test_options_that_the_client_gave_are_kept_beside_the_usage() -> None:
    raw = b'{"model":"m","stream":true,"stream_options":{"include_obfuscation":false},"messages":[' + HI + b"]}"
    assert loads(sent(raw)[0])["stream_options"] == {"include_obfuscation": False, "include_usage": True}


def test_a_stream_that_asks_for_its_usage_already_is_left_alone() -> None:
    raw = b'{"model":"m","stream":true,"stream_options": {"include_usage": true},"messages":[' + HI + b"]}"
    assert sent(raw)[0] == raw.replace(b'"m"', b'"vendor/model-1"')


def test_a_server_that_knows_no_stream_options_is_sent_none() -> None:
    omit = frozenset({"stream_options"})
    plain = b'{"model":"m","stream":true,"messages":[' + HI + b"]}"
    assert sent(plain, omit=omit)[0] == plain.replace(b'"m"', b'"vendor/model-1"')
    given = b'{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[' + HI + b"]}"
    assert "stream_options" not in loads(sent(given, omit=omit)[0])


def test_a_body_without_a_model_gets_one() -> None:
    raw = b' {"messages":[' + HI + b"]}"
    assert sent(raw)[0] == b' {"model":"vendor/model-1","messages":[' + HI + b"]}"


def test_two_members_that_look_alike_lead_to_the_same_meaning() -> None:
    raw = b'{"metadata":{"model":"m"},"model":"m","messages":[' + HI + b"]}"
    assert loads(sent(raw)[0]) == {**loads(raw), "model": "vendor/model-1"}


def test_a_repaired_body_is_written_anew() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    request = ChatRequest("m", (), Native("openai_chat", body))
    provider = OpenAICompatible("p", "https://host/v1", FakeClock())
    assert provider.build(request, TARGET, Credential("p", "k"), "r").body == dumps({**body, "model": "vendor/model-1"})


def test_developers_become_systems_except_where_they_are_known() -> None:
    raw = b'{"model":"m","messages":[{"role":"developer","content":"d"},' + HI + b"]}"
    assert loads(sent(raw)[0])["messages"][0] == {"role": "system", "content": "d"}
    assert sent(raw, kind=OpenAI)[0] == raw.replace(b'"m"', b'"vendor/model-1"')


def test_what_a_vendor_refuses_is_left_out_by_name() -> None:
    raw = b'{"model":"m","logprobs":true,"logit_bias":{},"messages":[{"role":"user","content":"x","name":"a"}]}'
    body, dropped = sent(raw, kind=Groq)
    assert loads(body) == {"model": "vendor/model-1", "messages": [{"role": "user", "content": "x"}]}
    assert dropped == ("logprobs",)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "reasoning_details"])
def test_thinking_of_other_providers_never_reaches_openai(field: str) -> None:
    turn = {"role": "assistant", "content": "a", field: "hm"}
    raw = dumps({"model": "m", "messages": [turn, {"role": "user", "content": "x"}]})
    assert loads(sent(raw, kind=OpenAI)[0])["messages"][0] == {"role": "assistant", "content": "a"}
    assert loads(sent(raw)[0])["messages"][0] == turn


def test_think_blocks_that_were_written_for_the_client_are_taken_off_again() -> None:
    raw = b'{"model":"m","messages":[{"role":"assistant","content":"<think>hm</think>\\n\\nyes"},' + HI + b"]}"
    stripped = (Message("assistant", (TextPart("yes"),)), Message("user", (TextPart("hi"),)))
    assert loads(sent(raw, messages=stripped)[0])["messages"][0]["content"] == "yes"


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def replayed(*thinking: ThinkingBlock, kind: Any = DeepSeek, asked: ThinkingOptions = UNSAID, **own: Any) -> Any:
    """What a turn that calls a tool and has `own` fields goes on with as its reasoning; `thinking` is remembered."""
    raw = dumps({"model": "m", "messages": [{"role": "assistant", "content": None, "tool_calls": [CALL], **own}]})
    turn = Message("assistant", (), (ToolCall("c1", "f", "{}"),), reasoning="anybody's", thinking=thinking)
    return loads(sent(raw, kind=kind, messages=(turn,), thinking=asked)[0])["messages"][0].get("reasoning_content")


def test_deepseek_gets_back_its_own_reasoning_that_led_to_a_call_and_nobody_elses() -> None:
    own, claudes = ThinkingBlock("because", issuer="deepseek"), ThinkingBlock("hm", "sig", issuer="anthropic")
    assert replayed(own, claudes) == "because"
    assert replayed(own, kind=OpenAICompatible) is None


def test_a_call_that_deepseek_did_not_make_has_no_reasoning_rather_than_another_ones() -> None:
    claudes = ThinkingBlock("hm", "sig", issuer="anthropic")
    assert replayed(claudes) == ""
    assert replayed() == ""
    assert replayed(claudes, asked=ThinkingOptions(enabled=False)) is None


def test_what_the_client_wrote_as_reasoning_stays() -> None:
    assert replayed(ThinkingBlock("because", issuer="deepseek"), reasoning_content="mine") == "mine"
