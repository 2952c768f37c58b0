"""Where a conversation goes while the model that it was answered by is moved, and afterwards."""

from dataclasses import replace
from typing import Any

from config.settings import FailoverSettings, RouteSettings
from core.catalogue import Catalogue
from core.metrics import Metrics
from core.routing import Route
from core.store.memory import MemoryCounters
from schemas.chat import HostedTool, Tool
from schemas.model import ModelInfo
from services.affinity import Affinity, Binding
from services.failover import FailoverService
from services.placement import Place, Placement
from services.recollection import Recollection
from services.routing import RoutingService
from services.telemetry import Telemetry
from tests.fakes import FakeClock
from tests.unit.services.chat_kit import chat_request
from tests.unit.services.store_fake import DictRecords

HOUR = 3600
MODELS = [
    ModelInfo("claude-opus", "anthropic", 1000, 100, {"anthropic": "claude-opus"}),
    ModelInfo("claude-haiku", "anthropic", 1000, 100, {"anthropic": "claude-haiku"}),
    ModelInfo("gpt-5", "openai", 1000, 100, {"openai": "gpt-5"}),
    ModelInfo("glm-4.7", "z-ai", 1000, 100, {"glm": "glm-4.7"}),
]
ROUTES = [Route("anthropic", "anthropic"), Route("openai", "openai"), Route("glm", "glm")]
OPUS, HAIKU = "anthropic:claude-opus", "anthropic:claude-haiku"
GPT, GLM = "openai:gpt-5", "glm:glm-4.7"


class House:
    """Models, of which the first falls back to the others, and one conversation."""

    def __init__(self, *fallbacks: str) -> None:
        self.clock = FakeClock()
        settings = FailoverSettings(models={"gpt-*": "glm-4.7", "claude-*": "glm-4.7"})
        telemetry = Telemetry(Metrics())
        self.failover = FailoverService(DictRecords(), MemoryCounters(), settings, telemetry, self.clock)
        self.recollection = Recollection(MemoryCounters(), self.clock)
        self.affinity = Affinity(self.recollection, self.clock)
        rules = [RouteSettings.model_validate({"name": "all", "fallbacks": fallbacks})] if fallbacks else []
        routing = RoutingService(Catalogue(MODELS), ROUTES, lambda _: True, {}, rules)
        self.placement = Placement(routing, self.failover, self.affinity, frozenset())

    def place(self, model: str = "claude-opus", **fields: Any) -> Place:
        body: Any = {"prompt_cache_key": "s"}
        request = chat_request(**fields)
        request = replace(request, model=model, session="s", native=replace(request.native, body=body))
        plan = self.placement.plan(request)
        return self.placement.place(plan, request, self.recollection.find(self.placement.names(plan, request)))

    def order(self, model: str = "claude-opus", **fields: Any) -> list[str]:
        return [f"{target.provider}:{target.model}" for target in self.place(model, **fields).plan.targets]

    def bind(self, provider: str, model: str) -> None:
        """The conversation is answered there by the next turn."""
        home = self.place().home
        assert home is not None
        self.affinity.bind(home, Binding(provider, f"key-of-{provider}", model, at=self.clock.now(), life=300))


def test_a_conversation_that_fell_back_to_a_model_leaves_it_while_that_is_moved_and_then_goes_home() -> None:
    house = House("gpt-5")
    assert house.order() == [OPUS, GPT]
    house.bind("openai", "gpt-5")
    assert house.order() == [GPT, OPUS]
    house.failover.activate("gpt-5", 900)
    assert house.order() == [GLM, GPT, OPUS]
    house.bind("glm", "glm-4.7")
    assert house.place().prefer == "key-of-glm", "its prompt is cached there by now"
    house.clock.advance(900)
    assert (house.order(), house.place().prefer) == ([GPT, OPUS], "key-of-openai")


def test_a_stand_in_that_was_asked_for_before_under_the_same_session_is_still_the_stand_in() -> None:
    house = House("claude-opus")
    home = house.place("glm-4.7").home
    assert home is not None
    house.affinity.bind(home, Binding("anthropic", "k", "claude-opus", at=house.clock.now(), life=300))
    house.failover.activate("claude-opus", 900)
    assert house.order()[0] == GLM


def test_what_offers_a_providers_own_tools_stays_with_it() -> None:
    house, own = House(), HostedTool("web_search_20250305", {"type": "web_search_20250305"})
    house.failover.activate("claude-opus", 900)
    assert house.order(tools=(Tool("f"),)) == [GLM, OPUS]
    assert house.order(tools=(Tool("f"), own)) == [OPUS]
    house.failover.configure(FailoverSettings(models={"claude-*": "claude-haiku"}))
    assert house.order(tools=(own,)) == [HAIKU, OPUS]


def test_a_target_is_named_once_however_it_comes_to_be_one() -> None:
    house = House("glm-4.7", "gpt-5")
    house.failover.activate("claude-opus", 900)
    assert house.order() == [GLM, OPUS, GPT]
