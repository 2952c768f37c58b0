"""When a provider loses a prompt's cache: it is seen, priced, and its model is served by another for a while."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from ruamel.yaml import YAML

from tests.clients import DIALECTS, Dialect
from tests.gateway import Gateway, eventually
from tests.integration.conftest import FAST
from tests.redis_server import RedisServer
from tests.upstreams import forms
from tests.upstreams.anthropic_answers import anthropic_error
from tests.upstreams.openai_answers import openai_error
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Step
from tests.upstreams.wire import Request

OPUS, HAIKU = "claude-opus-5-5", "claude-haiku-4-5"
SYSTEM = [{"type": "text", "text": "S" * 240_000, "cache_control": {"type": "ephemeral"}}]
WRITTEN = {"input_tokens": 200, "cache_creation_input_tokens": 60_000, "cache_read_input_tokens": 0, "output_tokens": 9}
READ = {"input_tokens": 200, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 60_000, "output_tokens": 9}
LOSS_USD = 0.288
"""60,000 tokens written again at 5.00 instead of read at 0.20 USD a million."""


class House:
    """A gateway with Claude at Anthropic and GLM beside it, which moves Claude when a quarter dollar is lost."""

    def __init__(self, gateway: Gateway, upstream: Upstream) -> None:
        self.gateway, self.upstream = gateway, upstream

    def claude_says(self, usage: dict[str, Any], times: int | None = 1) -> None:
        def play(request: Request) -> list[Step]:
            return forms.ANTHROPIC.answer(request, "I am Claude.", usage=usage, model=OPUS)

        self.upstream.behave(play, times=times, when=lambda request: request.path.startswith("/anthropic"))

    def ask(self, user: str = "u", turn: int = 0, **fields: Any) -> anthropic.types.Message:
        client = anthropic.Anthropic(base_url=self.gateway.url, api_key="any", max_retries=0)
        said: Any = [{"role": "assistant", "content": "I am Claude."}, {"role": "user", "content": "Go on"}]
        messages: Any = [{"role": "user", "content": "Hi"}, *said * turn]
        told = {"model": OPUS, "system": SYSTEM, "metadata": {"user_id": user}, "messages": messages}
        extra: Any = {**told, **fields}
        return client.messages.create(max_tokens=64, **extra)

    def state(self, model: str = OPUS) -> dict[str, Any]:
        state: dict[str, Any] = self.gateway.get(f"/v1/failover/{model}").json()
        return state

    def usage(self) -> dict[str, Any]:
        told: dict[str, Any] = self.gateway.get("/v1/usage").json()["cache"]
        return told

    def move(self) -> None:
        assert self.gateway.post(f"/v1/failover/{OPUS}", {"minutes": 5}).json()["active"]


def glm_says(upstream: Upstream) -> None:
    def play(request: Request) -> list[Step]:
        return forms.GLM.answer(request, "I am GLM.")

    upstream.behave(play, when=lambda request: request.path.startswith("/zai"))


def settings(upstream: Upstream, **anthropic_changes: Any) -> dict[str, Any]:
    claude = {"base_url": f"{upstream.url}/anthropic", "api_keys": ["k-1"], "models": [OPUS], **anthropic_changes}
    glm = {"base_url": f"{upstream.url}/zai/api/paas/v4/chat/completions", "api_key": "id.secret"}
    return {
        "providers": {"anthropic": claude, "glm": glm},
        "model_map": {"my-*": OPUS},
        "failover": {"enabled": True, "loss_threshold": 0.25},
        "access": {"keys": []},
    }


def house_in(directory: Path, upstream: Upstream, environment: dict[str, str], **changes: Any) -> Gateway:
    with (directory / "gateway.yaml").open("w") as file:
        YAML(typ="safe").dump(settings(upstream, **changes), file)
    return Gateway(directory, **FAST, **environment)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Upstream() as upstream, house_in(tmp_path, upstream, {}) as gateway:
        glm_says(upstream)
        yield House(gateway, upstream)


def text_of(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_loss_that_is_too_dear_moves_the_model_until_it_is_moved_back(house: House) -> None:
    house.claude_says(WRITTEN, times=None)
    assert text_of(house.ask()) == "I am Claude."
    assert not house.state()["active"], "what was cold is no loss"
    assert text_of(house.ask()) == "I am Claude.", "the turn that shows the loss is answered where it was asked"
    event = house.gateway.wait_event("prompt_cache_loss", cause="evicted")
    assert (event["provider"], event["model"]) == ("anthropic", OPUS)
    assert (event["lost"], event["lost_usd"]) == (60_000, LOSS_USD)
    state = house.state()
    assert (state["active"], state["reason"], state["stand_in"]) == (True, "cache_loss", "glm-4.7")
    moved = house.ask()
    assert (text_of(moved), moved.model) == ("I am GLM.", OPUS), "the model bears the name that was asked for"
    assert "glm-4.7" in str(house.upstream.requests[-1].body["model"])
    assert house.gateway.delete(f"/v1/failover/{OPUS}").json()["active"] is False
    assert text_of(house.ask()) == "I am Claude."
    assert [event["why"] for event in house.gateway.events("failover_ended")] == ["manual"]


def test_what_is_read_from_the_cache_moves_nothing_and_counts_as_saved(house: House) -> None:
    house.claude_says(WRITTEN)
    house.claude_says(READ, times=None)
    for _ in range(4):
        house.ask()
    assert not house.state()["active"]
    (row,) = house.usage()["by_key"]
    assert (row["provider"], row["model"], row["answers"], row["lost_usd"]) == ("anthropic", OPUS, 4, 0.0)
    assert row["causes"] == {"cold": 1, "hit": 3}
    assert datetime.fromisoformat(row["last_seen"]).tzinfo == UTC
    assert row["saved_usd"] == pytest.approx(3 * 60_000 * (4.0 - 0.2) / 1_000_000, rel=0.4)
    assert 0 < row["fee_usd"] < row["saved_usd"]
    assert (row["loss_ratio"], row["missed"], row["notional"]) == (0, {}, {})
    whole = house.usage()
    assert whole["by_session"][0]["answers"] == 3, "without a name it is a session from its second answer on"
    whose = ("provider", "model", "credential")
    assert whole["total"] == {name: value for name, value in row.items() if name not in whose}
    metrics = house.gateway.get("/metrics").text
    labels = f'{{model="{OPUS}",provider="anthropic"}}'
    told = {
        name: float(metrics.split(f"glm_prompt_cache_{name}_usd_total{labels} ")[1].split()[0])
        for name in ("saving", "fee")
    }
    assert told["saving"] - told["fee"] == pytest.approx(row["saved_usd"])


def test_errors_and_the_clients_own_changes_move_nothing(house: House) -> None:
    overloaded = anthropic_error("overloaded_error", 529)
    house.upstream.script(overloaded, times=1, when=lambda request: request.path.startswith("/anthropic"))
    with suppress(anthropic.APIStatusError):
        house.ask()
    assert not house.state()["active"]
    for token in house.gateway.get("/v1/tokens").json()["data"]:
        house.gateway.post(f"/v1/tokens/{token['id']}/reset", None)
    house.claude_says(WRITTEN, times=None)
    house.ask()
    house.ask(system=[SYSTEM[0] | {"text": "T" * 240_000}])
    assert not house.state()["active"]
    assert {cause for row in house.usage()["by_key"] for cause in row["causes"]} == {"cold"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
def test_a_moved_model_answers_both_dialects_under_its_own_name(house: House, dialect: Dialect, stream: bool) -> None:
    house.move()
    heard = dialect.ask(house.gateway, OPUS, stream=stream)
    assert (heard.text, heard.models) == ("I am GLM.", {OPUS})
    assert heard.headers["X-Gateway-Provider"] == "glm"
    assert heard.headers["X-Gateway-Upstream-Model"] == "glm-4.7"


def test_a_stand_in_that_cannot_answer_is_no_outage(house: House) -> None:
    house.claude_says(WRITTEN, times=None)
    house.move()
    refused = openai_error(429, "rate_limit_error", "1302", "too fast", headers={"Retry-After": "3000"})
    house.upstream.script(refused, times=None, when=lambda request: request.path.startswith("/zai"))
    for _ in range(3):
        assert text_of(house.ask()) == "I am Claude."
    assert house.state()["active"], "and it ends nothing"


def test_what_the_stand_in_cannot_see_goes_to_the_model_itself(house: House) -> None:
    house.claude_says(WRITTEN, times=None)
    house.move()
    pixel = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    content: Any = [{"type": "image", "source": pixel}, {"type": "text", "text": "What is this?"}]
    assert text_of(house.ask(messages=[{"role": "user", "content": content}])) == "I am Claude."


def test_another_name_for_a_model_is_that_model(house: House) -> None:
    house.claude_says(WRITTEN, times=None)
    house.ask(model="my-opus")
    house.ask(model="my-opus")
    assert house.state()["active"]
    assert text_of(house.ask(model="my-opus")) == "I am GLM."


def test_who_names_a_provider_gets_it_even_while_the_model_is_moved(house: House) -> None:
    house.claude_says(WRITTEN, times=None)
    house.move()
    assert text_of(house.ask(model=f"anthropic/{OPUS}")) == "I am Claude."


def test_the_openai_client_is_moved_too(house: House) -> None:
    house.move()
    client = openai.OpenAI(base_url=f"{house.gateway.url}/v1", api_key="any", max_retries=0)
    messages: Any = [{"role": "user", "content": "Hi"}]
    assert client.chat.completions.create(model=OPUS, messages=messages).choices[0].message.content == "I am GLM."


def test_where_it_would_go_is_explained(house: House) -> None:
    house.move()
    body = {"model": OPUS, "messages": [{"role": "user", "content": "Hi"}]}
    told = house.gateway.post("/v1/route/explain", body).json()
    assert [target["provider"] for target in told["targets"]] == ["glm", "anthropic"]
    assert "stands in" in told["targets"][0]["why"]


def test_wrong_orders_are_refused(house: House) -> None:
    assert house.gateway.post(f"/v1/failover/{OPUS}", {"minutes": -1}).status_code == 400
    assert house.gateway.post(f"/v1/failover/{OPUS}", {"hours": 1}).status_code == 400
    assert house.gateway.post("/v1/failover/glm-4.6", None).status_code == 400
    assert house.gateway.post("/v1/failover/claude-nonsense", None).status_code == 404
    assert not house.state()["active"]


def test_what_no_provider_has_is_not_found(house: House) -> None:
    gateway, path = house.gateway, "/v1/failover/claude-opus-5-55"
    for answer in (gateway.get(path), gateway.delete(path), gateway.post(path, None)):
        assert answer.status_code == 404
        error = answer.json()["error"]
        assert (error["code"], error["param"]) == ("model_not_found", "model")
        assert OPUS in error["message"]
    assert gateway.post("/v1/failover/llama-4", None).status_code == 404, "whether or not any could stand in for it"


def test_every_worker_of_every_replica_knows_a_move_and_it_survives_a_restart(tmp_path: Path) -> None:
    directory = tmp_path / "gateway"
    directory.mkdir()
    with RedisServer(tmp_path) as redis, Upstream() as upstream:
        glm_says(upstream)
        upstream.behave(
            lambda request: forms.ANTHROPIC.answer(request, "I am Claude.", usage=WRITTEN),
            when=lambda r: r.path.startswith("/anthropic"),
        )
        with house_in(directory, upstream, {"REDIS_URL": redis.url, "WORKERS": "3"}) as gateway:
            house = House(gateway, upstream)
            house.move()
            assert eventually(lambda: {text_of(house.ask()) for _ in range(12)} == {"I am GLM."})
            gateway.kill()
            gateway.start()
            assert eventually(lambda: {text_of(house.ask()) for _ in range(12)} == {"I am GLM."})


def test_each_model_of_a_session_stays_with_its_key_and_a_wrong_request_moves_nothing(tmp_path: Path) -> None:
    used: dict[str, list[str]] = {OPUS: [], HAIKU: []}

    def play(request: Request) -> list[Step]:
        used[request.body["model"]].append(request.headers["x-api-key"])
        if request.body.get("temperature") == 0.5:
            return anthropic_error("invalid_request_error", 400)
        return forms.ANTHROPIC.answer(request, "I am Claude.", usage=READ, model=OPUS)

    keys = {"api_keys": ["k-1", "k-2", "k-3"], "models": [OPUS, HAIKU]}
    with Upstream() as upstream, house_in(tmp_path, upstream, {}, **keys) as gateway:
        upstream.behave(play)
        house = House(gateway, upstream)
        headers = {"x-claude-code-session-id": "one-session"}
        for turn in range(6):
            house.ask(turn=turn, extra_headers=headers)
            house.ask(turn=turn, model=HAIKU, extra_headers=headers)
            with suppress(anthropic.BadRequestError):
                house.ask(turn=turn, extra_body={"temperature": 0.5}, extra_headers=headers)
    assert {len(set(keys)) for keys in used.values()} == {1}
    assert len(used[OPUS]) == 12
