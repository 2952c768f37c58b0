"""What the GLM provider promises of the request it builds."""

import pytest

from core.providers.glm import GLM
from schemas.chat import (
    ChatRequest,
    Message,
    Native,
    Sampling,
    TextPart,
    ThinkingOptions,
    Tool,
)
from schemas.codec import loads
from schemas.credential import Credential
from schemas.model import ModelInfo, Target
from tests.fakes import FakeClock

CREDENTIAL = Credential("glm", "id.secret")
NATIVE = Native("openai", {})
HOSTS = (
    "https://open.bigmodel.cn/api/paas/v4",
    "https://api.z.ai/api/paas/v4",
    "https://api.z.ai/api/coding/paas/v4",
    "https://open.bigmodel.cn/api/coding/paas/v4",
)
WEATHER, CLOCK = Tool("weather", "tells it", {"type": "object"}), Tool("clock")


def user(*parts):
    return Message("user", tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


def sent(*messages, base_url=HOSTS[1], abilities=(), control="switch", request_id="req-12345", **fields):
    """The parsed body, with the dropped names."""
    info = ModelInfo("m", "zai", 1000, 4096, {}, abilities=frozenset(abilities), thinking=control)
    request = ChatRequest("m", messages or (user("hi"),), NATIVE, **fields)
    built = GLM("glm", base_url, FakeClock()).build(request, Target("glm", "glm-9", info), CREDENTIAL, request_id)
    return loads(built.body), built.dropped


@pytest.mark.parametrize("base", HOSTS)
def test_every_host_works_as_api_base_and_as_full_url(base):
    for url in (base, f"{base}/", f"{base}/chat/completions"):
        provider = GLM("glm", url, FakeClock())
        info = ModelInfo("m", "zai", 1000, 4096, {})
        built = provider.build(ChatRequest("m", (user("hi"),), NATIVE), Target("glm", "m", info), CREDENTIAL, "req-1")
        assert built.url == f"{base}/chat/completions"
        assert built.headers["Accept"] == "text/event-stream"
        assert provider.probe(CREDENTIAL).url == f"{base}/models"


def test_a_plain_request_asks_for_nothing_the_client_did_not():
    body, dropped = sent()
    assert body == {
        "model": "glm-9",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "request_id": "req-12345",
    }
    assert dropped == ()


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        (0.0, {"do_sample": False, "temperature": 0.01}),
        (0.009, {"do_sample": False, "temperature": 0.01}),
        (0.01, {"temperature": 0.01}),
        (0.456, {"temperature": 0.46}),
        (1.0, {"temperature": 1.0}),
        (1.7, {"temperature": 1.0}),
    ],
)
def test_temperature_is_brought_into_glms_range_and_zero_is_greedy(given, fields):
    body, dropped = sent(sampling=Sampling(temperature=given))
    assert {name: body[name] for name in ("do_sample", "temperature") if name in body} == fields
    assert dropped == ()


def test_do_sample_of_the_client_goes_before_ours():
    assert sent(sampling=Sampling(temperature=0), extra={"do_sample": True})[0]["do_sample"] is True


@pytest.mark.parametrize(("given", "top_p"), [(0, 0.01), (0.3, 0.3), (1.0, 1.0), (1.5, 1.0)])
def test_top_p_is_brought_into_glms_range(given, top_p):
    assert sent(sampling=Sampling(top_p=given))[0]["top_p"] == top_p


@pytest.mark.parametrize(("given", "max_tokens"), [(10, 10), (4096, 4096), (200_000, 4096)])
def test_max_tokens_stays_within_what_the_model_can_write(given, max_tokens):
    assert sent(sampling=Sampling(max_tokens=given))[0]["max_tokens"] == max_tokens


def test_the_first_stop_word_goes_as_an_array_and_the_rest_is_not_called_dropped():
    body, dropped = sent(sampling=Sampling(stop=("a", "b")))
    assert (body["stop"], dropped) == (["a"], ())


def test_what_glm_has_not_is_dropped_by_name():
    body, dropped = sent(
        sampling=Sampling(seed=1, presence_penalty=0.5, frequency_penalty=-0.5),
        tools=(WEATHER,),
        parallel_tool_calls=False,
        extra={
            "logit_bias": {"5": 1},
            "n": 3,
            "service_tier": "flex",
            "store": True,
            "x\ny": 1,
            "prompt_cache_key": "k",
        },
    )
    expected = {"seed", "presence_penalty", "frequency_penalty", "parallel_tool_calls", "logit_bias", "n"}
    assert set(dropped) == expected | {"service_tier", "store", "other", "prompt_cache_key"}
    assert not set(body) & set(dropped)


def test_parameters_at_their_defaults_are_no_loss():
    extra = {"n": 1, "store": False, "logprobs": None, "logit_bias": {}, "service_tier": "auto", "metadata": {}}
    _, dropped = sent(
        extra=extra, parallel_tool_calls=True, sampling=Sampling(presence_penalty=0, frequency_penalty=0.0)
    )
    assert dropped == ()


def test_glms_own_parameters_pass():
    extra = {"sensitive_word_check": {"type": "ALL", "status": "ENABLE"}, "watermark_enabled": False, "meta": {"a": 1}}
    body, dropped = sent(extra=extra)
    assert {name: body[name] for name in extra} == extra
    assert dropped == ()


@pytest.mark.parametrize(("length", "fits"), [(5, False), (6, True), (128, True), (129, False)])
def test_the_user_is_carried_only_within_glms_bounds(length, fits):
    body, dropped = sent(user="u" * length)
    assert (body.get("user_id"), dropped) == (("u" * length, ()) if fits else (None, ("user",)))
    assert "user" not in body


def test_a_safety_identifier_stands_in_for_the_user():
    assert sent(extra={"safety_identifier": "person-1"})[0]["user_id"] == "person-1"
    body, dropped = sent(user="customer-1", extra={"safety_identifier": "person-1"})
    assert (body["user_id"], dropped) == ("customer-1", ("safety_identifier",))


def test_a_request_id_of_any_length_is_sent_within_bounds_and_stays_unique():
    long = "r" * 100
    ids = [sent(request_id=given)[0]["request_id"] for given in ("", "abc", "a" * 64, long + "-1", long + "-2")]
    assert all(6 <= len(ident) <= 64 for ident in ids)
    assert len(set(ids)) == len(ids)
    assert ids[2] == "a" * 64


def steered(control, **asked):
    body, dropped = sent(control=control, thinking=ThinkingOptions(**asked))
    return body.get("thinking"), body.get("reasoning_effort"), dropped


ON, OFF = {"type": "enabled"}, {"type": "disabled"}


@pytest.mark.parametrize(
    ("control", "asked", "expected"),
    [
        ("switch", {}, (None, None, ())),
        ("switch", {"enabled": True}, (ON, None, ())),
        ("switch", {"enabled": False}, (OFF, None, ())),
        ("switch", {"effort": "none"}, (OFF, None, ())),
        ("switch", {"effort": "minimal"}, (OFF, None, ())),
        ("switch", {"effort": "low"}, (ON, None, ("reasoning_effort",))),
        ("switch", {"enabled": False, "effort": "high"}, (OFF, None, ("reasoning_effort",))),
        ("switch", {"clear": False}, ({**ON, "clear_thinking": False}, None, ())),
        ("switch", {"enabled": False, "clear": True}, ({**OFF, "clear_thinking": True}, None, ())),
        ("effort", {"effort": "none"}, (OFF, None, ())),
        ("effort", {"effort": "low"}, (ON, "high", ())),
        ("effort", {"effort": "medium"}, (ON, "high", ())),
        ("effort", {"effort": "xhigh"}, (ON, "max", ())),
        ("effort", {"effort": "odd"}, (ON, None, ("reasoning_effort",))),
        ("effort", {"enabled": True, "effort": "none"}, (ON, None, ("reasoning_effort",))),
        ("effort", {"enabled": True, "effort": "max"}, (ON, "max", ())),
        ("forced", {}, (None, None, ())),
        ("forced", {"effort": "low"}, (ON, "low", ())),
        ("forced", {"effort": "medium"}, (ON, "high", ())),
        ("forced", {"effort": "none"}, (ON, "low", ("reasoning_effort",))),
        ("forced", {"enabled": False}, (ON, "low", ("thinking",))),
        ("none", {}, (None, None, ())),
        ("none", {"enabled": False}, (None, None, ())),
        ("none", {"effort": "none"}, (None, None, ())),
        ("none", {"enabled": True, "clear": False}, (None, None, ("thinking", "clear_thinking"))),
        ("none", {"effort": "high"}, (None, None, ("reasoning_effort",))),
    ],
)
def test_thinking_is_steered_as_far_as_the_model_can_be(control, asked, expected):
    assert steered(control, **asked) == expected
