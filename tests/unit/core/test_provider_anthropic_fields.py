"""How an OpenAI client's sampling, format and other parameters reach Anthropic's form."""

import pytest

from core.providers.anthropic_fields import JSON_ORDER, SCHEMA_ORDER
from schemas.chat import ResponseFormat, Sampling, ThinkingOptions
from schemas.codec import loads
from tests.unit.core.anthropic_kit import ABILITIES, assistant, built, chat, system, target, user

OPUS = "claude-opus-4-8"
SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}}
SCHEMA_TEXT = '{"type":"object","properties":{"a":{"type":"number"}}}'
FORMAT = ResponseFormat("json_schema", SCHEMA, "shape", "A shape.", strict=True)


def sent(to=None, messages=(), **fields):
    upstream = built(chat(*messages, **fields), to)
    return loads(upstream.body), upstream.dropped


def sampled(model=OPUS, refuses=(), control="none", thinking=None, **sampling):
    to = target(model, refuses=frozenset(refuses), thinking=control)
    body, dropped = sent(to, sampling=Sampling(**sampling), thinking=thinking or ThinkingOptions())
    return {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body}, dropped


@pytest.mark.parametrize(
    ("asked", "limit", "tokens"),
    [
        (None, 64_000, 32_000),
        (None, 8000, 8000),
        (None, 0, 4096),
        (10, 64_000, 10),
        (99_000, 64_000, 64_000),
        (7, 0, 7),
    ],
)
def test_the_length_of_the_answer_is_always_told_and_never_beyond_the_models_own(asked, limit, tokens):
    assert sent(target(max_output=limit), sampling=Sampling(max_tokens=asked))[0]["max_tokens"] == tokens


@pytest.mark.parametrize(("asked", "told"), [(0.0, 0.0), (0.5, 0.5), (1.7, 1.0)])
def test_the_temperature_is_kept_within_anthropics_bounds(asked, told):
    assert sampled(temperature=asked) == ({"temperature": told}, ())


def test_what_a_model_refuses_is_dropped_by_name_unless_it_asks_for_nothing():
    refuses = ("temperature", "top_p", "top_k")
    assert sampled(refuses=refuses, temperature=0.5, top_p=0.5, top_k=5) == ({}, refuses)
    assert sampled(refuses=refuses, temperature=1.0, top_p=1.0) == ({}, ())


@pytest.mark.parametrize(
    ("temperature", "top_p", "told", "dropped"),
    [
        (0.5, 0.9, {"temperature": 0.5}, ("top_p",)),
        (0.5, 1.0, {"temperature": 0.5}, ()),
        (1.0, 0.9, {"top_p": 0.9}, ()),
        (None, 0.9, {"top_p": 0.9}, ()),
    ],
)
def test_anthropics_models_are_given_one_of_temperature_and_top_p(temperature, top_p, told, dropped):
    assert sampled(temperature=temperature, top_p=top_p) == (told, dropped)


def test_other_models_are_given_all():
    given = {"temperature": 0.5, "top_p": 0.9, "top_k": 5}
    assert sampled("glm-4.6", **given) == (given, ())
    assert sampled("glm-4.6", control="switch", thinking=ThinkingOptions(enabled=True), **given) == (given, ())


@pytest.mark.parametrize("control", ["budget", "adaptive"])
def test_anthropics_models_draw_freely_while_they_think(control):
    on = ThinkingOptions(effort="low")
    assert sampled(control=control, thinking=on, temperature=0.5, top_k=5) == ({}, ("temperature", "top_k"))
    assert sampled(control=control, thinking=on, temperature=1.0) == ({}, ())
    off = ThinkingOptions(effort="none")
    assert sampled(control=control, thinking=off, temperature=0.5) == ({"temperature": 0.5}, ())


def test_top_k_is_read_wherever_the_client_put_it():
    assert sent(extra={"top_k": 7})[0]["top_k"] == 7
    assert sent(extra={"top_k": 7}, sampling=Sampling(top_k=5))[0]["top_k"] == 5


def test_stop_words_that_anthropic_refuses_are_left_to_the_gateway():
    body, dropped = sent(sampling=Sampling(stop=("a", "\n", "", " b ")))
    assert (body["stop_sequences"], dropped) == (["a", " b "], ())
    assert "stop_sequences" not in sent(sampling=Sampling(stop=(" ",)))[0]


def test_what_anthropic_has_no_word_for_is_named():
    extra = {"logprobs": True, "logit_bias": {"1": 2}, "prompt_cache_key": "k", "service_tier": "flex"}
    _, dropped = sent(sampling=Sampling(seed=0, presence_penalty=0.1, frequency_penalty=0.2), extra=extra)
    assert dropped == ("seed", "presence_penalty", "frequency_penalty", *extra)


def test_what_asks_for_nothing_is_not_worth_a_word():
    extra = {"n": 1, "logprobs": False, "logit_bias": {}, "service_tier": "auto", "modalities": ["text"], "store": None}
    body, dropped = sent(sampling=Sampling(presence_penalty=0.0, frequency_penalty=0), extra={**extra, "metadata": {}})
    assert dropped == ()
    assert set(body) == {"model", "max_tokens", "messages", "stream"}


def test_anthropics_own_parameters_pass():
    own = {
        "speed": "fast",
        "inference_geo": "us",
        "service_tier": "standard_only",
        "cache_control": {"type": "ephemeral"},
    }
    body, dropped = sent(extra=own)
    assert {name: body[name] for name in own} == own
    assert dropped == ()


def test_nothing_of_the_clients_replaces_what_the_gateway_sets():
    body, _ = sent(extra={"model": "x", "stream": False, "max_completion_tokens": 1, "stream_options": {}})
    assert (body["model"], body["stream"]) == (OPUS, True)
    assert "stream_options" not in body


@pytest.mark.parametrize(
    ("fields", "user_id", "dropped"),
    [
        ({"user": "u"}, "u", ()),
        ({"extra": {"safety_identifier": "s"}}, "s", ()),
        ({"user": "u", "extra": {"safety_identifier": "u"}}, "u", ()),
        ({"user": "u", "extra": {"safety_identifier": "s"}}, "u", ("safety_identifier",)),
        ({"extra": {"metadata": {"user_id": "m"}}}, "m", ()),
        ({"user": "u", "extra": {"metadata": {"user_id": "m", "job": "1"}}}, "m", ("metadata", "user")),
        ({"extra": {"metadata": {"job": "1"}}}, None, ("metadata",)),
        ({"user": "u" * 257}, None, ("user",)),
    ],
)
def test_the_user_goes_into_the_metadata(fields, user_id, dropped):
    body, told = sent(**fields)
    assert body.get("metadata") == (None if user_id is None else {"user_id": user_id})
    assert told == dropped


def test_a_schema_goes_to_models_that_take_one_beside_the_effort():
    to = target(abilities=ABILITIES | {"json_schema"}, thinking="adaptive")
    body, dropped = sent(to, response_format=FORMAT, thinking=ThinkingOptions(effort="low"))
    assert body["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}
    assert dropped == ()


def test_the_clients_own_output_config_is_kept_around_it():
    body, _ = sent(target(thinking="forced"), extra={"output_config": {"x": 1, "effort": "high"}})
    assert body["output_config"] == {"x": 1, "effort": "high"}


@pytest.mark.parametrize(
    ("wanted", "order", "dropped"),
    [
        (
            FORMAT,
            f'A shape.\n{SCHEMA_ORDER}\n{{"type":"object","properties":{{"a":{{"type":"number"}}}}}}',
            "json_schema",
        ),
        (ResponseFormat("json_object"), JSON_ORDER, "json_object"),
    ],
)
def test_other_models_are_told_the_format_in_words_at_the_end(wanted, order, dropped):
    messages = (system("s"), user("a"), assistant("x"), user("b"))
    said = {"type": "text", "text": order}
    body, told = sent(target("claude-opus-4-8"), messages, response_format=wanted)
    assert body["messages"][-1] == {"role": "system", "content": [said]}
    assert told == (f"response_format.{dropped}",)
    body, _ = sent(target("glm-4.6"), messages, response_format=wanted)
    assert body["messages"][-1] == {"role": "user", "content": [{"type": "text", "text": "b"}, said]}
    assert body["system"] == [{"type": "text", "text": "s"}]


def test_a_format_in_words_stands_ahead_of_a_beginning_and_behind_an_instruction():
    said = {"type": "text", "text": JSON_ORDER}
    wanted = ResponseFormat("json_object")
    body, _ = sent(target("claude-opus-4-5"), (user("a"), assistant("{")), response_format=wanted)
    assert body["messages"][0]["content"][-1] == said
    body, _ = sent(target("claude-opus-4-8"), (user("a"), system("b")), response_format=wanted)
    assert body["messages"][-1]["content"][-1] == said


def test_plain_text_needs_no_format():
    assert set(sent(response_format=ResponseFormat("text"))[0]) == {"model", "max_tokens", "messages", "stream"}
