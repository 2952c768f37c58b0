"""A gateway in front of three providers, `a`, `b` and `c`, which one upstream plays under a path for each."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from ruamel.yaml import YAML

from tests.gateway import Gateway
from tests.integration.conftest import FAST
from tests.upstreams.openai_answers import openai_error
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Step
from tests.upstreams.wire import Request

CONTEXTS = {"m-a": 2_000, "m-b": 100_000, "m-c": 100_000, "common": 100_000}
BROKEN = openai_error(500, "server_error", None, "simulated failure")
CHAIN = [{"name": "chain", "targets": [{"model": "m-a"}], "fallbacks": ["m-b", "m-c"]}]
"""`a`, then `b`, then `c`."""


@dataclass
class House:
    """The gateway and what is behind it."""

    gateway: Gateway
    upstream: Upstream

    def breaks(self, *names: str, steps: Sequence[Step] = BROKEN, times: int | None = None) -> None:
        """Let these providers answer so from now on."""
        for name in names:
            self.upstream.script(list(steps), times=times, when=lambda request, name=name: asked(request) == name)

    def ask(self, model: str = "any", session: str | None = None, **fields: Any) -> requests.Response:
        """One chat."""
        headers = {**fields.pop("headers", {}), **({"x-session-id": session} if session else {})}
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields}
        return self.gateway.post("/v1/chat/completions", body, headers=headers)

    def answered(self, *arguments: Any, **fields: Any) -> str:
        """Which provider a chat was answered by."""
        response = self.ask(*arguments, **fields)
        assert response.status_code == 200, response.text
        return str(response.headers["X-Gateway-Provider"])

    def explain(self, model: str = "any", **fields: Any) -> Any:
        """Where a chat would go."""
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields}
        return self.gateway.post("/v1/route/explain", body).json()

    def provider(self, name: str) -> Any:
        """What is shown of a provider."""
        return self.gateway.get(f"/v1/providers/{name}").json()

    @property
    def asked(self) -> Counter[str]:
        """How often each provider was asked."""
        return Counter(asked(request) for request in self.upstream.requests)

    def forget(self) -> None:
        """Healthy providers, and no memory of what they were asked; the circuits stay as they are."""
        self.upstream.reset()


def asked(request: Request) -> str:
    """The provider whose path that is."""
    return request.path.split("/")[1]


@contextmanager
def running(
    directory: Path, routes: Sequence[Mapping[str, Any]] = CHAIN, environment: Mapping[str, str] = FAST, **top: Any
) -> Iterator[House]:
    """A house with these routes; `top` are other settings."""
    with Upstream() as upstream:
        providers: dict[str, Any] = {
            name: {
                "kind": "openai-compatible",
                "base_url": f"{upstream.url}/{name}/v1",
                "api_key": f"key-of-{name}",
                "models": [f"m-{name}", "common"],
            }
            for name in "abc"
        }
        models = {name: {"context": tokens} for name, tokens in CONTEXTS.items()}
        settings = {"providers": providers, "models": models, "routes": list(routes), "retry": {"max_attempts": 5}}
        with (directory / "gateway.yaml").open("w") as file:
            YAML(typ="safe").dump({**settings, **top}, file)
        own = ("GATEWAY__RETRY__MAX_ATTEMPTS", "GATEWAY__CIRCUIT")
        variables = {name: value for name, value in environment.items() if not name.startswith(own)}
        with Gateway(directory, **variables) as gateway, requests.Session() as session:
            session.trust_env = False  # which would be read anew for every request
            gateway.session = session
            yield House(gateway, upstream)
