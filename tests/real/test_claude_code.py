"""Claude Code, the real one, against the running gateway, in front of providers of three forms."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.gateway import Gateway
from tests.real import kit
from tests.real.claude_code import ClaudeCode
from tests.real.kit import CLAUDE_VENDOR, GLM_VENDOR, THINKING, VENDORS, Vendor, blocks_of
from tests.upstreams.answers import glm_error, glm_stream
from tests.upstreams.anthropic_answers import SIGNATURE, anthropic_error, anthropic_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Drop, Events, Head, Step, stream

WRITTEN = "Grüße aus Köln\n"
DONE = "All written."
BILLING = "x-anthropic-billing-header"


@pytest.fixture(scope="module")
def outside() -> Iterator[Upstream]:
    """The proxy that Claude Code is told to use, on which nothing may arrive."""
    with Upstream() as proxy:
        yield proxy


@pytest.fixture
def claude(tmp_path: Path, outside: Upstream) -> ClaudeCode:
    """Claude Code as on a machine that it has never run on."""
    return ClaudeCode(tmp_path, outside)


@pytest.fixture(scope="module")
def make_gateway(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Gateway]:
    """Makes gateways with other settings than most tests have; a setting of None is left out."""
    kit.packages()

    def make(**changed: str | None) -> Gateway:
        settings = {**kit.settings(provider), **changed}
        kept = {name: value for name, value in settings.items() if value is not None}
        return Gateway(tmp_path_factory.mktemp("other"), **kept)

    return make


@pytest.fixture(scope="module")
def only_glm(make_gateway: Callable[..., Gateway]) -> Iterator[Gateway]:
    """A gateway that has GLM and nothing else."""
    with make_gateway(ANTHROPIC_API_KEY=None, OPENAI_API_KEY=None) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def passing(make_gateway: Callable[..., Gateway]) -> Iterator[Gateway]:
    """A gateway that passes callers' own keys on to Anthropic."""
    with make_gateway(ANTHROPIC_API_KEY=None, GATEWAY__PROVIDERS__ANTHROPIC__AUTH="passthrough") as gateway:
        yield gateway


def write_a_file(vendor: Vendor, upstream: Upstream, path: Path) -> str:
    """Let the model write the file and then say so; returns what to ask it for."""
    arguments = json.dumps({"file_path": str(path), "content": WRITTEN})
    vendor.says(upstream, "", THINKING, [("toolu_01", "Write", arguments)])
    vendor.says(upstream, DONE, "Done it.")
    return f"Write greetings to {path}"


# A round trip with a tool


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_it_writes_a_file_and_tells_the_model(
    claude: ClaudeCode, gateway: Gateway, upstream: Upstream, vendor: Vendor
) -> None:
    path = claude.work / "greetings.txt"
    prompt = write_a_file(vendor, upstream, path)
    printed = claude.ask(gateway.url, prompt, "--model", vendor.model)
    assert (printed.status, printed.output) == (0, DONE)
    assert path.read_text() == WRITTEN
    first, second = upstream.requests
    assert prompt in first.raw_body.decode()
    assert f"File created successfully at: {path}" in second.raw_body.decode()
    assert upstream.pending_scripts == 0


def test_it_runs_on_glm_without_being_told_of_it(claude: ClaudeCode, only_glm: Gateway, upstream: Upstream) -> None:
    path = claude.work / "greetings.txt"
    printed = claude.ask(only_glm.url, write_a_file(GLM_VENDOR, upstream, path))
    assert (printed.status, printed.output, printed.errors) == (0, DONE, "")
    assert path.read_text() == WRITTEN
    assert {request.body["model"] for request in upstream.requests} == {"glm-4.7"}


@pytest.mark.parametrize(("alias", "model"), [("opus", "glm-5.3"), ("sonnet", "glm-4.7"), ("haiku", "glm-4.5-air")])
def test_its_names_for_models_may_stand_for_others(
    claude: ClaudeCode, gateway: Gateway, upstream: Upstream, alias: str, model: str
) -> None:
    GLM_VENDOR.says(upstream, "Hello.")
    chosen = {
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "glm-5.3",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "glm-4.7",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "glm-4.5-air",
    }
    assert claude.ask(gateway.url, "Hi", "--model", alias, **chosen).output == "Hello."
    assert upstream.requests[-1].body["model"] == model


def test_glms_prompt_keeps_its_beginning_from_turn_to_turn_and_from_run_to_run(
    claude: ClaudeCode, gateway: Gateway, upstream: Upstream
) -> None:
    claude.ask(gateway.url, write_a_file(GLM_VENDOR, upstream, claude.work / "a.txt"), "--model", GLM_VENDOR.model)
    GLM_VENDOR.says(upstream, "You are welcome.")
    claude.ask(gateway.url, "Thanks.", "--continue", "--model", GLM_VENDOR.model)
    bodies = [request.raw_body for request in upstream.requests]
    assert len(bodies) == 3
    for body, following in pairwise(bodies):
        beginning, found, _ = body.partition(b'],"stream":')
        assert found
        assert following.startswith(beginning + b",")
    assert BILLING.encode() not in bodies[0]
    assert b"cache_control" not in bodies[0]


def test_a_tool_that_it_loads_on_the_way_can_be_called(
    claude: ClaudeCode, gateway: Gateway, upstream: Upstream
) -> None:
    GLM_VENDOR.says(upstream, "", "", [("call_1", "ToolSearch", '{"query":"select:CronList"}')])
    GLM_VENDOR.says(upstream, "", "", [("call_2", "CronList", "{}")])
    GLM_VENDOR.says(upstream, "None.")
    printed = claude.ask(gateway.url, "Which jobs?", "--model", GLM_VENDOR.model, "--allowedTools", "CronList")
    assert printed.output == "None."
    names = [{tool["function"]["name"] for tool in request.body["tools"]} for request in upstream.requests]
    assert ["CronList" in known for known in names] == [False, True, True]
    results = [message["content"] for message in upstream.requests[-1].body["messages"] if message["role"] == "tool"]
    assert "CronList" in results[0]
    assert "No scheduled jobs" in results[1]


def test_glms_thinking_goes_back_to_it_though_claude_code_never_saw_it(
    claude: ClaudeCode, gateway: Gateway, upstream: Upstream
) -> None:
    claude.ask(gateway.url, write_a_file(GLM_VENDOR, upstream, claude.work / "a.txt"), "--model", GLM_VENDOR.model)
    turns = [message for message in upstream.requests[-1].body["messages"] if message["role"] == "assistant"]
    assert [turn["reasoning_content"] for turn in turns] == [THINKING]


def test_what_anthropic_signs_and_caches_reaches_it_untouched(
    claude: ClaudeCode, gateway: Gateway, upstream: Upstream
) -> None:
    claude.ask(gateway.url, write_a_file(CLAUDE_VENDOR, upstream, claude.work / "a.txt"))
    first, second = (request.body for request in upstream.requests)
    turn = next(message for message in second["messages"] if message["role"] == "assistant")
    assert blocks_of(turn, "thinking") == [{"type": "thinking", "thinking": THINKING, "signature": SIGNATURE}]
    assert [block["id"] for block in blocks_of(turn, "tool_use")] == ["toolu_01"]
    assert first["system"] == second["system"]
    assert first["system"][0]["text"].startswith(BILLING)
    assert sum("cache_control" in block for block in second["system"]) == 2
    assert second["messages"][-1]["content"][-1]["cache_control"]["type"] == "ephemeral"
    assert first["thinking"]["type"] == "adaptive"
    assert "claude-code-20250219" in upstream.requests[0].headers["anthropic-beta"].split(",")


@pytest.mark.parametrize("vendor", [GLM_VENDOR, CLAUDE_VENDOR], ids=lambda vendor: vendor.name)
def test_it_adds_up_what_the_provider_has_counted(
    claude: ClaudeCode, gateway: Gateway, upstream: Upstream, vendor: Vendor
) -> None:
    prompt = write_a_file(vendor, upstream, claude.work / "a.txt")
    printed = claude.ask(gateway.url, prompt, "--model", vendor.model, "--output-format", "json")
    told = json.loads(printed.output)
    usage = told["usage"]
    assert (told["result"], told["is_error"], told["num_turns"]) == (DONE, False, 2)
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (10, 8, 24)


def test_its_survey_of_the_context_is_counted_by_the_gateway(
    claude: ClaudeCode, gateway: Gateway, upstream: Upstream
) -> None:
    printed = claude.ask(gateway.url, "/context", "--model", GLM_VENDOR.model)
    assert printed.status == 0
    assert "| System prompt |" in printed.output
    gateway.wait_event("request", endpoint="/v1/messages/count_tokens", status=200)
    asked = [event for event in gateway.events("request") if event["endpoint"] == "/v1/messages/count_tokens"]
    assert {event["status"] for event in asked} == {200}


# Keys


def test_a_callers_own_subscription_goes_to_anthropic_and_the_gateways_key_does_not(
    claude: ClaudeCode, passing: Gateway, upstream: Upstream
) -> None:
    CLAUDE_VENDOR.says(upstream, "Hello.")
    own = {"ANTHROPIC_AUTH_TOKEN": "sk-ant-oat01-own", "ANTHROPIC_CUSTOM_HEADERS": f"X-Gateway-Key: {kit.KEY}"}
    assert claude.ask(passing.url, "Hi", **own).output == "Hello."
    sent = upstream.requests[-1].headers
    assert sent["authorization"] == "Bearer sk-ant-oat01-own"
    assert kit.KEY not in str(sent)


def test_a_wrong_key_is_told_at_once(claude: ClaudeCode, gateway: Gateway, upstream: Upstream) -> None:
    printed = claude.ask(gateway.url, "Hi", patience=5, ANTHROPIC_AUTH_TOKEN="wrong")
    assert printed.status == 1
    assert "The API key is not known here." in printed.output


# Failures


@pytest.mark.parametrize(
    ("vendor", "half"),
    [(CLAUDE_VENDOR, anthropic_stream("half of it")[:3]), (GLM_VENDOR, glm_stream("half of it")[:2])],
    ids=["anthropic", "glm"],
)
def test_a_provider_that_dies_in_the_middle_is_an_error_and_no_hang(
    claude: ClaudeCode, gateway: Gateway, upstream: Upstream, vendor: Vendor, half: list[bytes]
) -> None:
    upstream.script([Head(), Events(half), Drop(reset=True)], times=None)
    printed = claude.ask(gateway.url, "Hi", "--model", vendor.model, patience=30, CLAUDE_CODE_MAX_RETRIES="1")
    assert printed.status == 1
    assert printed.output.startswith("API Error: ")
    assert "Traceback" not in printed.output


def test_an_overloaded_provider_is_told_in_its_own_words(
    claude: ClaudeCode, fresh: Gateway, upstream: Upstream
) -> None:
    upstream.script(anthropic_error("overloaded_error", 529, "too much of everything"), times=None)
    printed = claude.ask(fresh.url, "Hi", patience=30, CLAUDE_CODE_MAX_RETRIES="0")
    assert printed.status == 1
    assert "too much of everything" in printed.output


def test_an_unknown_model_is_told_at_once(claude: ClaudeCode, gateway: Gateway, upstream: Upstream) -> None:
    printed = claude.ask(gateway.url, "Hi", "--model", "no-such-model", patience=30)
    assert printed.status == 1
    assert "There's an issue with the selected model (no-such-model)" in printed.output
    assert not upstream.requests


@pytest.mark.parametrize(
    ("vendor", "refusal"),
    [
        (CLAUDE_VENDOR, anthropic_error("invalid_request_error", 400, "prompt is too long: 9 tokens > 8 maximum")),
        (GLM_VENDOR, glm_error("1261", 400, "Prompt exceeds max length")),
        pytest.param(
            GLM_VENDOR,
            stream(glm_stream("", finish_reason="model_context_window_exceeded")),
        ),
    ],
    ids=["anthropic", "glm", "glm-finish"],
)
def test_a_prompt_that_is_too_long_is_known_as_such_and_not_sent_again(
    claude: ClaudeCode, fresh: Gateway, upstream: Upstream, vendor: Vendor, refusal: list[Step]
) -> None:
    upstream.script(refusal, times=None)
    printed = claude.ask(fresh.url, "Hi", "--model", vendor.model, patience=30)
    assert printed.output.startswith("Prompt is too long")
    assert len(upstream.requests) == 1
