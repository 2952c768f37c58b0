"""Two instances or one with providers that cache prompts behind them, all by one clock, and conversations with them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import anthropic
import openai
from ruamel.yaml import YAML

from tests.fakes import FakeClock
from tests.integration.conftest import FAST
from tests.integration.timed_kit import NOW, TimedGateway, logging_as_before
from tests.upstreams.caching import CachingProvider
from tests.upstreams.server import Upstream

OPUS = "claude-opus-5-5"
KEYS = ("k-1", "k-2", "k-3")
LARGE, MEDIUM, SMALL = 70_000, 40_000, 250
"""Tokens of a system prompt. Losing a large one costs more than the threshold, by whichever model, two medium ones do
together, and a small one is not cached."""
THRESHOLD = 0.25
FORGOTTEN = 100_000.0
"""Seconds after which nothing of what was counts any more."""
SESSIONS = count()


@dataclass
class Talk:
    """One conversation, by the SDK of its dialect."""

    house: "House"
    model: str
    size: int = LARGE
    is_anthropic: bool = True
    marks: bool = True
    session: str = field(default_factory=lambda: f"session-{next(SESSIONS)}")
    turns: int = 0

    def ask(self, at: int = 0, stream: bool = False, model: str | None = None) -> str:
        """Who says that it answers the next turn, at this instance; it takes a second, with what is done after it."""
        turns, self.turns = self.turns, self.turns + 1
        said = [{"role": "assistant", "content": "So I said."}, {"role": "user", "content": "Go on"}]
        messages: Any = [{"role": "user", "content": "Hi"}, *said * turns]
        speak = self._claude if self.is_anthropic else self._gpt
        told, named = speak(at, messages, model or self.model, stream)
        assert named == {model or self.model}, "the name that was asked for, in every chunk"
        self.house.sync()
        self.house.clock.advance(1)
        return told

    @property
    def _system(self) -> str:
        return f"{self.session} " + "w" * (4 * self.size)

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-session-id": self.session}

    def _claude(self, at: int, messages: Any, model: str, stream: bool) -> tuple[str, set[str]]:
        client = self.house.claude[at]
        mark: Any = {"cache_control": {"type": "ephemeral"}} if self.marks else {}
        system: Any = [{"type": "text", "text": self._system, **mark}]
        fields: Any = {"model": model, "system": system, "messages": messages, "max_tokens": 9}
        if not stream:
            message = client.messages.create(**fields, extra_headers=self._headers)
        else:
            with client.messages.stream(**fields, extra_headers=self._headers) as events:
                message = events.get_final_message()
        return "".join(block.text for block in message.content if block.type == "text"), {message.model}

    def _gpt(self, at: int, messages: Any, model: str, stream: bool) -> tuple[str, set[str]]:
        client = self.house.gpt[at]
        fields: Any = {"model": model, "messages": [{"role": "system", "content": self._system}, *messages]}
        if not stream:
            answer = client.chat.completions.create(**fields, extra_headers=self._headers)
            return answer.choices[0].message.content or "", {answer.model}
        chunks = list(client.chat.completions.create(**fields, stream=True, extra_headers=self._headers))
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        return text, {chunk.model for chunk in chunks}


@dataclass
class House:
    """Two instances, what is behind them, and the clock that all of them go by."""

    gateways: tuple[TimedGateway, ...]
    upstream: Upstream
    clock: FakeClock
    provider: CachingProvider

    def __post_init__(self) -> None:
        own: Any = {"api_key": "any", "max_retries": 0}
        urls = [gateway.url for gateway in self.gateways]
        self.claude = [anthropic.Anthropic(base_url=url, **own) for url in urls]
        self.gpt = [openai.OpenAI(base_url=f"{url}/v2", **own) for url in urls]

    def sync(self) -> None:
        """Let each instance tell the others what it knows, and hear what they do."""
        for gateway in (*self.gateways, self.gateways[0]):
            gateway.tick()

    def pass_time(self, seconds: float) -> None:
        """Let time go by, and what is done in the background happen."""
        self.clock.advance(seconds)
        self.sync()

    def state(self, model: str = OPUS, at: int = 0) -> dict[str, Any]:
        told: dict[str, Any] = self.gateways[at].get(f"/v1/failover/{model}").json()
        return told

    def is_moved(self, model: str = OPUS, at: int = 0) -> bool:
        return bool(self.state(model, at)["active"])

    def lose(self, talk: Talk, at: int = 0) -> None:
        """One turn whose beginning the provider has lost."""
        self.provider.forget()
        talk.ask(at)

    def move(self, talk: Talk) -> None:
        """Let it lose so much that its model moves."""
        talk.ask()
        self.lose(talk)
        assert self.is_moved(talk.model)


@contextmanager
def house_in(
    directory: Path,
    instances: int,
    redis_url: str | None,
    providers: Callable[[str], dict[str, Any]] = lambda _: {},
    **failover: Any,
) -> Iterator[House]:
    """So many instances on one redis, or one embedded; `failover` are other settings of it.

    `providers` says what there is instead of, or beside, the usual ones behind an address.
    """
    with Upstream() as upstream, ExitStack() as stack:
        stack.enter_context(logging_as_before())
        clock = FakeClock(NOW)
        settings = {
            "providers": {
                "anthropic": {"base_url": f"{upstream.url}/anthropic", "api_keys": list(KEYS)},
                "openai": {"base_url": f"{upstream.url}/openai/v1", "api_keys": ["o-1", "o-2"]},
                "glm": {"base_url": f"{upstream.url}/zai/api/paas/v4/chat/completions", "api_key": "id.secret"},
                **providers(upstream.url),
            },
            "failover": {"enabled": True, "loss_threshold": THRESHOLD, **failover},
            **({"store": {"redis_url": redis_url, "timeout": 5}} if redis_url else {}),
        }
        gateways = []
        for number in range(instances):
            place = directory / f"instance-{number}"
            place.mkdir()
            with (place / "gateway.yaml").open("w") as file:
                YAML(typ="safe").dump(settings, file)
            gateways.append(stack.enter_context(TimedGateway(place, clock, DATA_DIR=str(place / "data"), **FAST)))
        yield House(tuple(gateways), upstream, clock, CachingProvider(clock.now))


def anew(house: House) -> House:
    """The same so much later that nothing is cached, lost or moved any more, in front of providers in good health."""
    house.upstream.reset()
    house.provider = CachingProvider(house.clock.now)
    house.upstream.behave(house.provider.play)
    house.pass_time(FORGOTTEN)
    return house
