"""A gateway with one instance of every kind of provider, all of them in front of one simulated upstream."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import requests
from ruamel.yaml import YAML

from tests.clients import DIALECTS, Dialect
from tests.gateway import Gateway
from tests.integration.conftest import FAST
from tests.upstreams import forms
from tests.upstreams.forms import Form
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Step
from tests.upstreams.strict import refusal
from tests.upstreams.wire import Request

ONE_TRY = {**FAST, "GATEWAY__RETRY__MAX_ATTEMPTS": "1"}
"""No second tries of the gateway's own, so that a failure on purpose is seen at once."""


@dataclass(frozen=True)
class Kind:
    """One kind of provider: where its instance of the same name is found, which model it is asked for, its form.

    `caches` tells that it says what was read from a cache. `native` names the dialect it forwards as it came.
    """

    name: str
    path: str
    model: str
    form: Form
    native: str | None = None
    caches: bool = True

    @property
    def asked(self) -> str:
        """The name by which a client asks for the model."""
        return f"{self.name}/{self.model}"

    @property
    def key(self) -> str:
        """The key of the instance, which no other has, in a shape that nobody knows."""
        return f"quince-{self.name}-0123456789abcdef"

    def __str__(self) -> str:
        return self.name


_TABLE = (
    Kind("anthropic", "/anthropic", "claude-opus-4-8", forms.ANTHROPIC, "anthropic"),
    Kind("anthropic-compatible", "/elsewhere/v1", "some-claude", forms.ANTHROPIC, "anthropic"),
    Kind("glm-anthropic", "/zai/api/anthropic", "glm-4.6", forms.GLM_ANTHROPIC, "anthropic"),
    Kind("openai", "/openai/v1", "gpt-5.4", forms.OPENAI, "openai"),
    Kind("openai-compatible", "/local/v1", "llama-4", forms.OPENAI, "openai"),
    Kind("groq", "/groq/openai/v1", "openai/gpt-oss-120b", forms.GROQ, "openai"),
    Kind("grok", "/grok/v1", "grok-4.3", forms.GROK, "openai"),
    Kind("deepseek", "/deepseek", "deepseek-v4-pro", forms.DEEPSEEK, "openai"),
    Kind("openrouter", "/openrouter/api/v1", "z-ai/glm-4.6", forms.OPENROUTER, "openai"),
    Kind("gemini", "/google/v1beta", "gemini-2.5-flash", forms.GEMINI),
    Kind("ollama", "/ollama", "qwen3:8b", forms.OLLAMA, caches=False),
    Kind("glm", "/zai/api/paas/v4/chat/completions", "glm-4.6", forms.GLM),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _TABLE}
"""Every kind of provider by the name of its instance."""
BOTH_DIALECTS = pytest.mark.parametrize("dialect", DIALECTS, ids=str)
STREAMED_OR_NOT = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@dataclass
class World:
    """The gateway and its upstream; `headers` go with every request of an operator."""

    upstream: Upstream
    gateway: Gateway
    headers: dict[str, str] = field(default_factory=dict)

    def rest(self) -> None:
        """Forget what was scripted and received, and let every credential be used again."""
        self.upstream.reset()
        for token in self.gateway.get("/v1/tokens", headers=self.headers).json()["data"]:
            if token["status"] not in ("available", "in_use") or token["cooldown_until"] or token["cooling_models"]:
                self.gateway.post(f"/v1/tokens/{token['id']}/reset", None, headers=self.headers)

    def answers(self, form: Form, *arguments: Any, times: int | None = 1, **options: Any) -> None:
        """Let the upstream say this, streamed or whole as it is asked."""
        self.upstream.behave(lambda request: form.answer(request, *arguments, **options), times=times)

    def plays(self, script: Callable[[Request], list[Step]], times: int | None = 1) -> None:
        """Let the upstream play what `script` makes of the request."""
        self.upstream.behave(script, times=times)

    @property
    def sent(self) -> Request:
        """What the upstream was sent last."""
        return self.upstream.requests[-1]


def every_kind(test: Callable[..., Any]) -> Callable[..., Any]:
    """Run a test for each kind of provider."""
    return pytest.mark.parametrize("kind", KINDS.values(), ids=str)(test)


def ways(fits: Callable[[Kind, Dialect, bool], bool]) -> pytest.MarkDecorator:
    """Run a test for each kind of provider, asked in both dialects, streamed and whole, where that `fits`."""
    combinations = product(KINDS.values(), DIALECTS, (False, True))
    parameters = [
        pytest.param(kind, dialect, stream, id=f"{kind}-{dialect}-{'stream' if stream else 'whole'}")
        for kind, dialect, stream in combinations
        if fits(kind, dialect, stream)
    ]
    return pytest.mark.parametrize(("kind", "dialect", "stream"), parameters)


every_way = ways(lambda kind, dialect, stream: True)


@contextmanager
def running_world(
    directory: Path,
    environment: Mapping[str, str] = ONE_TRY,
    providers: Mapping[str, Any] | None = None,
    *,
    strict: bool = True,
    **top: Any,
) -> Iterator[World]:
    """A world for as long as it is needed. `providers` are changed or further instances, `top` other settings.

    A `strict` upstream refuses what the provider would whose path is asked.
    """
    with Upstream(refuses=refused if strict else None) as upstream:
        instances = {kind.name: instance(upstream, kind) for kind in KINDS.values()}
        for name, changes in (providers or {}).items():
            instances[name] = {**instances.get(name, {}), **changes}
        for one in instances.values():
            one["base_url"] = one["base_url"].replace("UPSTREAM", upstream.url)
        with (directory / "gateway.yaml").open("w") as file:
            YAML(typ="safe").dump({"providers": instances, **top}, file)
        with Gateway(directory, **environment) as gateway, requests.Session() as session:
            session.trust_env = False  # which would be read anew for every request
            gateway.session = session
            yield World(upstream, gateway)


def instance(upstream: Upstream, kind: Kind) -> dict[str, Any]:
    """The settings of the instance of `kind`."""
    signed = {} if kind.name == "ollama" else {"api_key": kind.key}
    return {"kind": kind.name, "base_url": upstream.url + kind.path, "models": [kind.model], **signed}


def refused(request: Request) -> Sequence[Step] | None:
    """What the provider says whose path is asked, if it does not take the request; Ollama takes anything."""
    paths = {kind.path.removesuffix("/chat/completions"): kind.name for kind in KINDS.values() if kind.name != "ollama"}
    kind = next((name for path, name in paths.items() if request.path.startswith(f"{path}/")), None)
    return None if kind is None else refusal(kind, request)
