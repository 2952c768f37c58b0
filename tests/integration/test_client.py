"""The client for workers against a real gateway."""

import threading
from collections.abc import Iterator

import pytest

from client import BudgetExceeded, Forbidden, GatewayClient, InvalidRequest, TextDelta, Unauthorized
from tests.gateway import Gateway
from tests.integration.conftest import environment
from tests.ports import free_port
from tests.upstreams.openai_answers import openai_error
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Hold

HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture(scope="module")
def gateway(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = environment(
        provider,
        GATEWAY_API_KEYS="ann:key-of-ann,poor:key-of-poor",
        GATEWAY__COST_BUDGET__KEYS='{"poor": {"daily_limit": 0.000001}}',
    )
    with Gateway(tmp_path_factory.mktemp("client"), **settings) as running:
        yield running


def test_it_asks_a_real_gateway_past_one_that_is_not_there(gateway: Gateway, upstream: Upstream) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with GatewayClient([nobody, gateway.url], "key-of-ann", models=["no-such-model", "glm-4.6"]) as client:
        reply = client.chat(HI, max_tokens=50)
        assert (reply.model, reply.provider, reply.finish_reason) == ("glm-4.6", "glm", "stop")
        assert reply.cost_usd is not None
        with client.stream(HI) as stream:
            text = "".join(delta.text for delta in stream if isinstance(delta, TextDelta))
        assert text == reply.text == stream.reply.text
        assert stream.reply.usage.output_tokens
        assert "glm-4.6" in client.models()
        assert client.count_tokens(HI, model="glm-4.6") > 0
        assert client.usage(group_by="model")["object"] == "usage"


def test_what_the_gateway_refuses_is_told_in_its_words(gateway: Gateway) -> None:
    with GatewayClient(gateway.url, "key-of-poor") as client:
        with pytest.raises(BudgetExceeded) as spent:
            client.chat(HI, model="glm-4.6")
        assert (spent.value.name, spent.value.window, spent.value.limit_usd) == ("poor", "daily", 0.000001)
        assert 0 < (spent.value.resets_in or 0) <= 86_400
        with pytest.raises(Forbidden):
            client.usage(key="someone-else")
    with GatewayClient(gateway.url, "wrong") as client, pytest.raises(Unauthorized):
        client.chat(HI)


def test_a_refusal_behind_keep_alives_is_still_a_refusal(gateway: Gateway, upstream: Upstream) -> None:
    too_long = openai_error(400, code="context_length_exceeded", message="too long")
    upstream.script(Hold(), *too_long, times=None)
    with GatewayClient(gateway.url, "key-of-ann", models=["glm-4.6"]) as client:
        # The gateway keeps silent streams alive after a second, and has sent its status by then.
        release = threading.Timer(1.5, lambda: upstream.release(10))
        release.start()
        with pytest.raises(InvalidRequest) as refused:
            client.stream(HI)
        release.join()
    assert (refused.value.status, refused.value.code) == (None, "context_length_exceeded")
    assert len(refused.value.tried) == 1
