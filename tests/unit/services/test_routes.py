"""Where a chat goes by the rules, and how that is explained ahead of it and after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from config.settings import CircuitSettings, RouteSettings
from core.catalogue import Catalogue
from core.errors import GatewayError, ModelNotFound, NotFound, UpstreamOverloaded, UpstreamServerError
from core.routing import Route, listed
from core.store.memory import MemoryCounters
from schemas.caller import Caller
from schemas.chat import ChatRequest, Message, Native, TextPart
from schemas.limit import Capacity
from schemas.model import ModelInfo, Target
from schemas.outcome import Attempt, Outcome
from schemas.route import Candidate, Loser, PassedOver, Plan, Verdict
from services.circuits import Circuits
from services.decisions import KEPT, DecisionLog
from services.explain import ExplainService
from services.explain_table import table
from services.routing import RoutingService
from tests.fakes import FakeClock
from tests.unit.services.chat_kit import chat_request
from tests.unit.services.store_fake import DictStore

BROKEN = UpstreamServerError("no")
BIG = ModelInfo("glm-4.6", "z-ai", 1000, 100, {"glm": "glm-4.6", "glm-web": "GLM-4-6"}, aliases=("glm",))
AIR = ModelInfo("glm-4.5-air", "z-ai", 1000, 100, {"glm": "glm-4.5-air"})
CLAUDE = ModelInfo("claude-opus", "anthropic", 1000, 100, {"anthropic": "claude-opus"})
ROUTES = (
    Route("glm", "glm"),
    Route("web", "glm-web"),
    Route("anthropic", "anthropic", families=("claude-",)),
    Route("box", "openai-compatible", listed({"web/llama"})),
)


@dataclass
class Keys:
    """So many credentials, and how many of them can be used."""

    total: int = 1
    usable: int = 1
    resting: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return self.total

    def usable_count(self) -> int:
        return self.usable

    def capacity(self, model: str = "") -> Capacity:
        return Capacity(0 if model in self.resting else self.usable)


class House:
    """Four instances, of which `web` has no credential unless it is told so, and rules."""

    def __init__(self, *rules: dict[str, Any], usable: Sequence[str] = ("glm", "anthropic", "box")) -> None:
        settings = [RouteSettings.model_validate(rule) for rule in rules]
        self.routing = RoutingService(
            Catalogue([BIG, AIR, CLAUDE]), ROUTES, lambda name: name in usable, {"gpt-*": "glm-4.6"}, settings
        )
        self.circuits = Circuits(CircuitSettings(failures=1), DictStore(), FakeClock(), "w")
        self.keys = {"glm": Keys(), "anthropic": Keys(2, 2)}
        self.explaining = ExplainService(self.routing.plan, self.circuits, self.keys)

    def plan(self, model: str, caller: Caller | None = None) -> Plan:
        return self.routing.plan(asked(model), caller)

    def where(self, model: str) -> list[str]:
        return [f"{target.provider}:{target.model}" for target in self.plan(model).targets]

    def fail(self, provider: str, model: str, error: GatewayError = BROKEN) -> None:
        permit = self.circuits.admit(Target(provider, model, BIG), sole=True)
        permit.failed(error)
        permit.release()

    def explain(self, model: str) -> dict[str, Any]:
        return self.explaining.explain(asked(model), "tenant", None)


def asked(model: str) -> ChatRequest:
    return ChatRequest(model, (Message("user", (TextPart("Hi"),)),), Native("openai_chat", {}))


TO_CLAUDE = {"name": "to-claude", "match": {"models": ["glm*"]}, "targets": [{"model": "claude-opus"}]}
FALLS_BACK = {"name": "default", "fallbacks": ["claude-opus", "glm-4.5-air"]}


def test_without_rules_the_model_decides() -> None:
    plan = House().plan("glm")
    assert [candidate.target for candidate in plan.candidates] == [Target("glm", "glm-4.6", BIG)]
    assert (plan.rule, plan.strict, plan.longer) == (None, False, ())
    assert plan.losers == (Loser("web", "GLM-4-6", "it has no credential"),)


def test_the_rule_that_matches_decides() -> None:
    house = House(TO_CLAUDE, FALLS_BACK)
    assert house.where("glm") == house.where("glm-4.6") == ["anthropic:claude-opus"]
    assert house.where("claude-opus") == ["anthropic:claude-opus", "glm:glm-4.5-air"]


def test_without_a_rule_that_matches_the_model_decides_and_each_rule_says_why_not() -> None:
    plan = House(TO_CLAUDE).plan("claude-opus")
    assert (plan.rule, plan.verdicts) == (None, (Verdict("to-claude", "the model is none of glm*"),))
    assert [target.provider for target in plan.targets] == ["anthropic"]


@pytest.mark.parametrize("model", ["glm/glm-4.6", "GLM/glm-4.6", "glm/unheard-of"])
def test_who_names_an_instance_is_never_sent_elsewhere(model: str) -> None:
    house = House({**TO_CLAUDE, "match": {}})
    assert house.where(model) == [f"glm:{model.partition('/')[2]}"]
    assert house.plan(model).rule is None


def test_an_instance_that_is_named_and_cannot_be_used_is_not_replaced() -> None:
    with pytest.raises(ModelNotFound):
        House({**TO_CLAUDE, "match": {}}).plan("web/glm-4.6")


def test_a_model_that_is_called_like_an_instance_with_a_model_is_routed() -> None:
    assert House({**TO_CLAUDE, "match": {}}).where("web/llama") == ["anthropic:claude-opus"]


def test_a_rule_for_roles_looks_at_the_caller() -> None:
    house = House({**TO_CLAUDE, "match": {"callers": ["admin"]}})
    assert house.plan("glm", Caller("1", "a", "admin")).rule == "to-claude"
    assert house.plan("glm", Caller("1", "a", "user")).rule is None


def test_a_default_route_with_targets_serves_names_that_nobody_knows() -> None:
    assert House({**TO_CLAUDE, "match": {}}).where("made-up") == ["anthropic:claude-opus"]


def test_a_default_route_without_does_not_and_near_names_are_told() -> None:
    with pytest.raises(ModelNotFound, match="Did you mean glm-4"):
        House(FALLS_BACK).plan("glm-4.66")


def test_a_known_model_that_nobody_serves_now_falls_back() -> None:
    assert House(FALLS_BACK, usable=("anthropic",)).where("glm-4.6") == ["anthropic:claude-opus"]
    assert House(FALLS_BACK).where("gpt-4") == ["glm:glm-4.6", "anthropic:claude-opus", "glm:glm-4.5-air"]


def test_a_rule_that_leads_nowhere_now_is_named() -> None:
    with pytest.raises(ModelNotFound, match="route 'to-claude' leads to no model"):
        House(TO_CLAUDE, usable=("glm",)).plan("glm")


# Ahead of it


def test_an_explanation_tells_the_targets_in_order_and_why_the_others_lost() -> None:
    told = House({"name": "never", "match": {"stream": True}}, FALLS_BACK).explain("glm")
    assert [(one["order"], one["provider"], one["model"], one["why"]) for one in told["targets"]] == [
        (1, "glm", "glm-4.6", "the model that was asked for"),
        (2, "anthropic", "claude-opus", "fallback 1"),
        (3, "glm", "glm-4.5-air", "fallback 2"),
    ]
    assert told["targets"][1]["credentials"] == {"total": 2, "usable": 2}
    assert told["lost"] == [{"provider": "web", "model": "GLM-4-6", "reason": "it has no credential"}]
    assert told["rule"] == "default"
    assert [one["reason"] for one in told["rules"]] == ["the answer is not streamed", None]
    assert told["prompt_tokens"] > 0


def test_what_is_left_alone_or_has_no_key_to_use_is_among_the_losers() -> None:
    house = House(FALLS_BACK)
    house.keys["anthropic"].usable = 0
    house.fail("glm", "glm-4.6", UpstreamOverloaded("busy"))
    told = house.explain("glm")
    assert [one["model"] for one in told["targets"]] == ["glm-4.5-air"]
    reasons = {one["model"]: one["reason"] for one in told["lost"]}
    assert reasons["glm-4.6"] == "its circuit is open for 15.0 s more"
    assert reasons["claude-opus"] == "none of its 2 credentials can be used now"
    house.keys["glm"].resting = frozenset({"glm-4.5-air"})
    assert house.explain("glm")["lost"][-1]["reason"] == "none of its 1 credentials can be used for this model now"


def test_the_only_target_would_be_tried_although_its_circuit_is_open() -> None:
    house = House()
    house.fail("glm", "glm-4.6")
    (only,) = house.explain("glm")["targets"]
    assert (only["circuit"], only["provider_circuit"]) == ("open", "closed")


def test_the_table_for_a_terminal_tells_the_same() -> None:
    house = House({"name": "never", "match": {"stream": True}}, FALLS_BACK)
    house.fail("glm", "glm-4.6", UpstreamOverloaded("busy"))
    text = table(house.explain("glm"))
    assert "route default" in text.splitlines()[0]
    assert "1.  anthropic  claude-opus  fallback 1  closed   2 of 2" in text
    assert "  glm glm-4.6: its circuit is open" in text
    assert "  never: the answer is not streamed" in text


# After it


PLAN = Plan(
    [Candidate(Target(name, "m", BIG), "because") for name in ("a", "b", "c", "d")],
    losers=[Loser(None, "x", "no")],
    rule="r",
    verdicts=[Verdict("q", "not"), Verdict("r")],
)


def finished(log: DecisionLog, request_id: str = "req-1", plan: Plan | None = PLAN, last: str | None = None) -> None:
    outcome = Outcome("glm", stream=False, plan=plan)
    outcome.attempts += [Attempt("a", "m", "id", 1.0, "upstream_timeout"), Attempt("c", "m", "id", 2.0, last)]
    outcome.passed_over.append(PassedOver("b", "m", "its circuit is open"))
    log.finished(chat_request(), outcome, request_id)


def test_what_came_of_each_target_is_remembered() -> None:
    log = DecisionLog(None, FakeClock())
    finished(log)
    told = log.of("req-1")
    assert (told["request_id"], told["rule"], told["model"]) == ("req-1", "r", "glm")
    assert [one["result"] for one in told["targets"]] == [
        "failed: upstream_timeout",
        "passed over: its circuit is open",
        "answered",
        "not needed",
    ]
    assert told["lost"] == [{"provider": None, "model": "x", "reason": "no"}]
    assert [one["error"] for one in told["attempts"]] == ["upstream_timeout", None]


def test_a_target_whose_turn_never_came_says_so() -> None:
    log = DecisionLog(None, FakeClock())
    finished(log, last="upstream_broken")
    assert log.of("req-1")["targets"][3]["result"] == "not reached"


def test_what_was_never_planned_or_never_seen_is_not_found() -> None:
    log = DecisionLog(MemoryCounters(), FakeClock())
    finished(log, plan=None)
    log.share()
    with pytest.raises(NotFound, match="req-1"):
        log.of("req-1")


def test_another_worker_knows_it_too_for_an_hour() -> None:
    clock, counters = FakeClock(), MemoryCounters()
    one, two = DecisionLog(counters, clock), DecisionLog(counters, clock)
    finished(one)
    one.share()
    assert two.of("req-1") == one.of("req-1")
    clock.advance(3600)
    for log in (one, two):
        with pytest.raises(NotFound):
            log.of("req-1")


def test_only_so_many_are_kept() -> None:
    log = DecisionLog(None, FakeClock())
    for number in range(KEPT + 1):
        finished(log, f"req-{number}")
    assert log.of("req-1")
    with pytest.raises(NotFound):
        log.of("req-0")
