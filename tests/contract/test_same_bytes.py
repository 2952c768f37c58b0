"""Between a client and a provider of one dialect nothing is lost, re-ordered or re-spelled, and no key goes astray."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.clients import ANTHROPIC, OPENAI, VERSION, Dialect
from tests.integration.providers_kit import KINDS, ONE_TRY, STREAMED_OR_NOT, Kind, World, running_world
from tests.upstreams.anthropic_answers import (
    PING,
    anthropic_error,
    message_body,
    message_stream,
    redacted_block,
    text_block,
    thinking_block,
    tool_block,
)
from tests.upstreams.openai_answers import openai_body, openai_chunks, openai_error
from tests.upstreams.steps import stream, whole

CLAUDE, GPT = KINDS["anthropic"], KINDS["openai"]
GATEWAY_KEY = "gateway-key-5d1f7a"
OWN_KEY = "sk-ant-own-key-of-the-caller-93"
ODD_CLAUDE = r"""
{ "max_tokens" : 4096,"messages":[
  {"role":"user","content":[
    {"cache_control":{"ttl":"1h","type":"ephemeral"},"text":"Zo\u00eb \ud83d\udc4b 世界\/","type":"text"},
    {"type":"image","source":{"type":"base64","media_type":"image\/png","data":"iVBORw0KGgo="}}]},
  {"content":[
    {"type":"thinking","thinking":"h\u00e9, \"model\":\"anthropic\/claude-opus-4-8\"","signature":"EqQB+\/x=="},
    {"type":"redacted_thinking","data":"EmwK\/w=="}, {"type":"text","text":"I look."},
    {"type":"tool_use","id":"toolu_01","name":"f","input":{"b":1.0,"a":1e2,"z":[ ]}}],"role":"assistant"},
  {"role":"user","content":[
    {"type":"tool_result","tool_use_id":"toolu_01","content":"ok","cache_control":{"type":"ephemeral"}}]}],
  "model":"anthropic/claude-opus-4-8", "thinking":{"type":"adaptive","display":"omitted"},
	"x_unknown":{"z":-0.50,"a":[null,true,1.10]},"metadata":{"user_id":"u-1"} ,
  "system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral"}}],
  "tools":[{"name":"f","input_schema":{"type":"object","properties":{"b":{}}},"defer_loading":false}],"stream":STREAM }
"""
ODD_GPT = r"""
{ "messages":[ {"role":"developer","content":"Be\tbrief \u00e9"},
  {"name":"zo\u00eb","role":"user","content":[
    {"type":"text","text":"say \"model\": \"openai\/gpt-5.4\" 世界","x":1.0}]}],
  "model" : "openai/gpt-5.4", "temperature":1.0,"top_p":0.10 ,"logit_bias":{"50256":-1e2},
	"x_unknown":[{"b":1,"a":null}], "stream":STREAM, "stream_options":{"include_usage":true},
  "metadata":{"b":"1","a":"2"}, "seed": 1234567890123456789 }
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway that wants a key, with instances that pass on the caller's own, and one that lets all flags pass.

    Its upstream takes anything: what nobody knows yet must reach it as it was written. At the end no
    key may have been printed.
    """
    providers = {
        "own-claude": {"kind": "anthropic", "base_url": "UPSTREAM/own", "auth": "passthrough"},
        "own-gpt": {"kind": "openai", "base_url": "UPSTREAM/own/v1", "auth": "passthrough"},
        "beta-claude": {"kind": "anthropic", "base_url": "UPSTREAM/beta", "api_key": CLAUDE.key, "betas": ["*"]},
        "claude-of-mine": {"kind": "openai-compatible", "base_url": "UPSTREAM/mine/v1", "api_key": GPT.key},
    }
    environment = {**ONE_TRY, "GATEWAY_API_KEYS": f"ann:{GATEWAY_KEY}:admin", "LOG_LEVEL": "DEBUG"}
    with running_world(tmp_path_factory.mktemp("guarded"), environment, providers, strict=False) as one:
        one.headers = {"X-Gateway-Key": GATEWAY_KEY}
        yield one
    assert not [key for key in (OWN_KEY, GATEWAY_KEY, CLAUDE.key, GPT.key) if key in one.gateway.output]


@pytest.fixture
def world(guarded: World) -> World:
    guarded.rest()
    return guarded


def send(world: World, dialect: Dialect, body: bytes, **headers: str) -> requests.Response:
    """Send these very bytes."""
    told = {**dialect.headers(), **world.headers, "Content-Type": "application/json", **headers}
    return requests.post(world.gateway.url + dialect.path(), data=body, headers=told, timeout=30)


def odd(body: str, stream: bool) -> bytes:
    """A body that is spelled as no library would."""
    return body.strip().replace("STREAM", "true" if stream else "false").encode()


# Requests


@STREAMED_OR_NOT
@pytest.mark.parametrize(
    ("dialect", "kind", "body"),
    [(ANTHROPIC, CLAUDE, ODD_CLAUDE), (OPENAI, GPT, ODD_GPT)],
    ids=["anthropic", "openai"],
)
def test_the_provider_receives_the_clients_bytes_but_for_the_model(
    world: World, dialect: Dialect, kind: Kind, body: str, stream: bool
) -> None:
    written = odd(body, stream)
    response = send(world, dialect, written)
    assert response.status_code == 200, response.text
    asked, model = f'"{kind.asked}"'.encode(), f'"{kind.model}"'.encode()
    assert written.count(asked) == 1
    assert world.sent.raw_body == written.replace(asked, model)
    assert "X-Gateway-Dropped" not in response.headers


def test_a_stream_without_usage_is_asked_for_it_and_otherwise_the_same(world: World) -> None:
    written = odd(ODD_GPT, stream=True).replace(b' "stream_options":{"include_usage":true},', b"")
    heard = OPENAI.heard(send(world, OPENAI, written))
    sent = world.sent.raw_body
    assert json.loads(sent) == {
        **json.loads(written),
        "model": GPT.model,
        "stream_options": {"include_usage": True},
    }
    assert sent.endswith(written[1:].replace(b"openai/gpt-5.4", b"gpt-5.4"))
    assert heard.usage is None


@pytest.mark.parametrize(("dialect", "kind"), [(ANTHROPIC, CLAUDE), (OPENAI, GPT)], ids=["anthropic", "openai"])
def test_a_model_that_is_named_elsewhere_too_is_renamed_in_its_place_only(
    world: World, dialect: Dialect, kind: Kind
) -> None:
    body = {
        "metadata": {"model": kind.asked},
        "max_tokens": 100,
        "messages": [{"role": "user", "content": f'{{"model":"{kind.asked}"}}'}],
        "model": kind.asked,
        "extra": [{"model": kind.asked}],
    }
    assert send(world, dialect, json.dumps(body).encode()).status_code == 200
    assert world.sent.body == {**body, "model": kind.model}
    assert list(world.sent.body) == list(body)


def test_a_model_whose_field_is_spelled_with_escapes_is_renamed_too(world: World) -> None:
    written = odd(ODD_CLAUDE, stream=False).replace(b'"model":"anthropic/claude', rb'"\u006dodel":"anthropic/claude')
    assert send(world, ANTHROPIC, written).status_code == 200
    assert world.sent.body == {**json.loads(written), "model": CLAUDE.model}


@pytest.mark.parametrize(("dialect", "kind"), [(ANTHROPIC, CLAUDE), (OPENAI, GPT)], ids=["anthropic", "openai"])
@pytest.mark.parametrize(
    "twice",
    [
        '"model":"a-dearer-one",',
        '"mod\\u0065l":"a-dearer-one",',
        '"max_tokens":99999,',
        '"messages":[{"role":"user"}],',
        '"models":["dear"],"models":null,',
        '"preset":"dear","preset":null,',
        '"n":9,"n":1,',
        '"context_window_fallbacks":[{"gpt-5.4":["dear"]}],"context_window_fallbacks":[],',
    ],
)
def test_of_a_field_that_stands_twice_the_provider_sees_the_one_that_was_looked_at(
    world: World, dialect: Dialect, kind: Kind, twice: str
) -> None:
    whole = json.dumps({"max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}], "model": kind.model})
    assert send(world, dialect, ("{" + twice + whole[1:]).encode()).status_code == 200
    sent = json.loads(world.sent.raw_body, object_pairs_hook=lambda pairs: pairs)
    assert sorted(pair for pair in sent if pair[0] in ("max_tokens", "model")) == [
        ("max_tokens", 100),
        ("model", kind.model),
    ]
    assert len({name for name, _ in sent}) == len(sent), "whoever reads the first of two reads what others decide by"


def test_an_instance_is_asked_by_its_name_whatever_that_begins_with(world: World) -> None:
    assert OPENAI.ask(world.gateway, "claude-of-mine/llama-4", headers=world.headers).status == 200
    assert world.sent.path.startswith("/mine/")
    assert world.sent.body["model"] == "llama-4"


# Answers

THINKING = thinking_block("héh", "Eq+/=")
CALLED = tool_block(("toolu_9", "f", '{"b":1}'))
BLOCKS = [THINKING, redacted_block("EmwK/w=="), {**text_block("Zoë 👋"), "citations": None}, CALLED]


def respelled(event: bytes) -> bytes:
    """The event as another JSON library writes it, with a field that nobody knows."""
    name, _, data = event.strip().partition(b"data: ")
    if data == b"[DONE]":
        return event
    written = json.dumps({**json.loads(data), "x_new": [1.0, "é"]}, ensure_ascii=True)
    return name + f"data: {written}\n\n".encode()


def test_the_events_of_a_stream_come_back_byte_for_byte_to_an_anthropic_client(world: World) -> None:
    events = [*map(respelled, message_stream(*BLOCKS, stop_reason="tool_use"))]
    events.insert(4, PING)
    events.insert(6, b'event: brand_new\ndata: {"type": "brand_new", "n": 1.0}\n\n')
    world.upstream.script(stream(events))
    response = send(world, ANTHROPIC, odd(ODD_CLAUDE, stream=True))
    begun, rest = response.content.split(b"\n\n", 1)
    assert rest == b"".join(events[1:])
    upstream_message = json.loads(events[0].partition(b"data: ")[2])
    upstream_message["message"]["model"] = CLAUDE.asked
    assert begun.startswith(b"event: message_start\ndata: ")
    assert json.loads(begun.partition(b"data: ")[2]) == upstream_message


def logged(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The chunks with probabilities, as a client gets them that asks for them."""
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        said = choice["delta"].get("content")
        choice["logprobs"] = {"content": [{"token": said, "logprob": -0.10, "bytes": None}]} if said else None
    return chunks


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v2/chat/completions"])
def test_the_events_of_a_stream_come_back_byte_for_byte_to_an_openai_client(world: World, path: str) -> None:
    calls = [("call_1", "f", '{"b":1}')]
    chunks = logged(openai_chunks("Zoë 👋", "", calls))
    events = [respelled(b"data: " + json.dumps(chunk).encode()) for chunk in chunks] + [b"data: [DONE]\n\n"]
    world.upstream.script(stream(events))
    headers = {**world.headers, "Content-Type": "application/json"}
    response = requests.post(world.gateway.url + path, data=odd(ODD_GPT, stream=True), headers=headers, timeout=30)
    expected = [event.replace(b'"gpt-5.4-2026-03-01"', b'"openai/gpt-5.4"') for event in events]
    assert response.content.split(b"\n\n") == b"".join(expected).split(b"\n\n")


def test_a_whole_answer_keeps_every_field_for_an_anthropic_client(world: World) -> None:
    answer = {**json.loads(message_body(*BLOCKS, stop_reason="tool_use")), "container": {"id": "c"}, "x_new": 1.5}
    world.upstream.script(whole(json.dumps(answer).encode()))
    response = send(world, ANTHROPIC, odd(ODD_CLAUDE, stream=False))
    assert response.json() == {**answer, "model": CLAUDE.asked}


@pytest.mark.parametrize("calls", [[], [("call_1", "f", '{"b":1}')]], ids=["text", "calls"])
def test_a_whole_answer_keeps_every_field_for_an_openai_client(world: World, calls: list[Any]) -> None:
    answer = json.loads(openai_body("Zoë 👋", "", calls, x_new={"a": 1.5}))
    answer["choices"][0]["logprobs"] = {"content": [{"token": "Z", "logprob": -0.1, "bytes": [90]}], "refusal": None}
    world.upstream.script(whole(json.dumps(answer).encode()))
    response = send(world, OPENAI, odd(ODD_GPT, stream=False))
    assert response.json() == {**answer, "model": GPT.asked}


# Headers


def test_flags_that_anthropic_knows_are_forwarded_and_others_named(world: World) -> None:
    flags = "context-1m-2025-08-07, made-up-2031-01-01,effort-2025-11-24"
    response = send(world, ANTHROPIC, odd(ODD_CLAUDE, stream=False), **{"anthropic-beta": flags})
    assert world.sent.headers["anthropic-beta"] == "context-1m-2025-08-07,effort-2025-11-24"
    assert response.headers["X-Gateway-Dropped"] == "anthropic-beta.made-up-2031-01-01"


def test_an_instance_may_let_all_flags_pass(world: World) -> None:
    body = odd(ODD_CLAUDE, stream=False).replace(b'"anthropic/', b'"beta-claude/')
    response = send(world, ANTHROPIC, body, **{"anthropic-beta": "made-up-2031-01-01"})
    assert response.status_code == 200
    assert world.sent.path.startswith("/beta/")
    assert world.sent.headers["anthropic-beta"] == "made-up-2031-01-01"
    assert "X-Gateway-Dropped" not in response.headers


@pytest.mark.parametrize("version", [VERSION, "2026-10-21"])
def test_the_clients_version_is_the_one_sent(world: World, version: str) -> None:
    send(world, ANTHROPIC, odd(ODD_CLAUDE, stream=False), **{"anthropic-version": version})
    assert world.sent.headers["anthropic-version"] == version


def test_an_openai_client_gets_a_version_that_is_spoken(world: World) -> None:
    assert OPENAI.ask(world.gateway, CLAUDE.asked, headers=world.headers).status == 200
    assert world.sent.headers["anthropic-version"] == VERSION


KEY_HEADERS = {
    "X-Gateway-Key": {"X-Gateway-Key": GATEWAY_KEY},
    "Authorization": {"Authorization": f"Bearer {GATEWAY_KEY}"},
    "x-api-key": {"x-api-key": GATEWAY_KEY},
    "all of them": {"X-Gateway-Key": GATEWAY_KEY, "Authorization": f"Bearer {GATEWAY_KEY}", "x-api-key": GATEWAY_KEY},
}


@pytest.mark.parametrize("way", KEY_HEADERS)
@pytest.mark.parametrize(("dialect", "kind"), [(ANTHROPIC, CLAUDE), (OPENAI, GPT)], ids=["anthropic", "openai"])
def test_the_gateways_own_key_never_goes_upstream(world: World, dialect: Dialect, kind: Kind, way: str) -> None:
    headers = {**KEY_HEADERS[way], "Cookie": "session=cookie-1"}
    assert dialect.ask(world.gateway, kind.asked, headers=headers).status == 200
    told = json.dumps(world.sent.headers)
    assert GATEWAY_KEY not in told
    assert "cookie-1" not in told
    assert kind.key in told


# The caller's own key

OWN = {
    "as a bearer": {"Authorization": f"Bearer {OWN_KEY}"},
    "as x-api-key": {"x-api-key": OWN_KEY},
    "in both": {"Authorization": f"Bearer {OWN_KEY}-1", "x-api-key": f"{OWN_KEY}-2"},
}
OWN_MODELS = {"anthropic": "own-claude/claude-opus-4-8", "openai": "own-gpt/gpt-5.4"}


@pytest.mark.parametrize("way", OWN)
@pytest.mark.parametrize("model", OWN_MODELS.values())
@pytest.mark.parametrize("dialect", [ANTHROPIC, OPENAI], ids=str)
@STREAMED_OR_NOT
def test_the_callers_own_key_is_passed_on_untouched_and_not_kept(
    world: World, way: str, model: str, dialect: Dialect, stream: bool
) -> None:
    heard = dialect.ask(world.gateway, model, stream=stream, headers={**world.headers, **OWN[way]})
    assert heard.status == 200
    sent = {name: value for name, value in world.sent.headers.items() if name in ("authorization", "x-api-key")}
    assert sent == {name.lower(): value for name, value in OWN[way].items()}
    assert GATEWAY_KEY not in json.dumps(world.sent.headers)
    assert OWN_KEY not in heard.body.decode() + str(heard.headers)


@pytest.mark.parametrize("dialect", [ANTHROPIC, OPENAI], ids=str)
def test_a_key_for_the_gateway_is_none_for_the_provider(world: World, dialect: Dialect) -> None:
    bearer = {"Authorization": f"Bearer {GATEWAY_KEY}"}
    heard = dialect.ask(world.gateway, OWN_MODELS[dialect.name], headers=bearer)
    assert heard.status == 401
    assert heard.error is not None
    assert heard.error["type"] == "authentication_error"
    assert not world.upstream.requests


@pytest.mark.parametrize("dialect", [ANTHROPIC, OPENAI], ids=str)
@STREAMED_OR_NOT
def test_a_callers_key_that_the_provider_refuses_is_the_callers_to_mend(
    world: World, dialect: Dialect, stream: bool
) -> None:
    said = f"invalid x-api-key {OWN_KEY}"
    refusals = [anthropic_error("authentication_error", 401, said), openai_error(401, None, "invalid_api_key", said)]
    for model, refusal in zip(OWN_MODELS.values(), refusals, strict=True):
        world.upstream.script(refusal, times=None)
        heard = dialect.ask(world.gateway, model, stream=stream, headers={**world.headers, **OWN["as x-api-key"]})
        assert heard.status == 401
        assert heard.error is not None
        assert heard.error["type"] == "authentication_error"
        assert OWN_KEY not in heard.body.decode() + str(heard.headers)


def test_a_stranger_is_not_let_in_by_a_key_for_a_provider(world: World) -> None:
    heard = ANTHROPIC.ask(world.gateway, OWN_MODELS["anthropic"], headers=OWN["as x-api-key"])
    assert heard.status == 401
    assert not world.upstream.requests
    assert OWN_KEY not in heard.body.decode()
