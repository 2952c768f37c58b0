"""Gateways that misbehave, and a client whose time is its own."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any

from client import GatewayClient, RetryPolicy
from tests.upstreams.openai_answers import openai_body, openai_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Step, stream, whole

HI = [{"role": "user", "content": "Hi"}]
TOLD = {
    "X-Gateway-Provider": "glm",
    "X-Gateway-Upstream-Model": "glm-4.7",
    "X-Gateway-Cost-USD": "0.0000028",
    "X-Gateway-Attempts": "2",
    "X-Request-ID": "req-1",
}


class Time:
    """Goes on only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Farm:
    """Some gateways and a client of all of them."""

    def __init__(self, gateways: list[Upstream], **settings: Any) -> None:
        self.gateways = gateways
        self.time = Time()
        policy = RetryPolicy(**settings.pop("policy", {}))
        self.client = GatewayClient(
            [gateway.url for gateway in gateways],
            "key",
            retry=policy,
            clock=self.time.clock,
            sleep=self.time.sleep,
            rng=Random(7),
            **settings,
        )

    @property
    def asked(self) -> list[int]:
        """How many requests each gateway has had."""
        return [len(gateway.requests) for gateway in self.gateways]


@contextmanager
def farm(count: int = 1, **settings: Any) -> Iterator[Farm]:
    with ExitStack() as stack:
        gateways = [stack.enter_context(Upstream()) for _ in range(count)]
        for number, gateway in enumerate(gateways):
            gateway.behave(lambda request, number=number: says(request, f"I am {number}"))
        one = Farm(gateways, **settings)
        stack.callback(one.client.close)
        yield one


def says(request: Any, text: str) -> list[Step]:
    """A good answer, streamed or whole."""
    if request.body.get("stream"):
        return stream(openai_stream(text), headers={"Content-Type": "text/event-stream", **TOLD})
    return whole(openai_body(text, "a thought"), headers={"Content-Type": "application/json", **TOLD})


def refuses(status: int, kind: str = "server_error", code: str = "x", **more: Any) -> list[Step]:
    """A refusal in the gateway's shape; `headers` and `details` as given."""
    headers = {"Content-Type": "application/json", "X-Request-ID": "req-9", **more.pop("headers", {})}
    error = {"message": "no", "type": kind, "code": code, "param": None, **more}
    return whole(json.dumps({"error": error, "request_id": "req-9"}).encode(), status, headers)
