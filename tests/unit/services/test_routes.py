"""Where a chat goes by the rules, and how that is explained ahead of it and after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest

from config.settings import CircuitSettings, FailoverSettings, PipelineSettings, RouteSettings
from core.catalogue import Catalogue
from core.counting import TokenCounter
from core.errors import (
    CredentialsExhausted,
    GatewayError,
    ModelNotFound,
    NoCredentials,
    NotFound,
    UpstreamOverloaded,
    UpstreamServerError,
)
from core.metrics import Metrics
from core.pipeline import Pipeline
from core.routing import Route, listed
from core.store.memory import MemoryCounters
from schemas.caller import Caller
from schemas.chat import ChatRequest, Message, Native, Sampling, TextPart
from schemas.model import ModelInfo, Price, Target
from schemas.origin import Origin
from schemas.outcome import Attempt, Outcome
from schemas.route import Candidate, Loser, PassedOver, Plan, Verdict
from schemas.usage import Usage
from services.affinity import Affinity
from services.circuits import Circuits
from services.decisions import KEPT, DecisionLog
from services.explain import ExplainService
from services.explain_table import table
from services.failover import FailoverService
from services.landing import SoftLanding
from services.placement import Placement
from services.preparation import Preparation
from services.recollection import Recollection
from services.routing import RoutingService
from services.telemetry import Telemetry
from services.thoughts import ThoughtMemory
from tests.fakes import FakeClock
from tests.unit.services.chat_kit import chat_request
from tests.unit.services.spending_kit import ALICE, BOB
from tests.unit.services.spending_kit import House as Money
from tests.unit.services.store_fake import DictRecords, DictStore

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
    room: int = 100

    def __len__(self) -> int:
        return self.total

    def sync(self) -> None:
        return None

    def usable_count(self) -> int:
        return self.usable

    def hindrance(self, model: str = "", tokens: int = 0) -> GatewayError | None:
        if tokens > self.room:
            return CredentialsExhausted("its limits are used up")
        return None if self.usable and model not in self.resting else NoCredentials("none can be used")


class House:
    """Four instances, of which `web` has no credential unless it is told so, and rules."""

    def __init__(
        self,
        *rules: dict[str, Any],
        usable: Sequence[str] = ("glm", "anthropic", "box"),
        rates: Mapping[str, Any] | None = None,
        budget: Mapping[str, Any] | None = None,
        models: Sequence[ModelInfo] = (BIG, AIR, CLAUDE),
    ) -> None:
        settings = [RouteSettings.model_validate(rule) for rule in rules]
        self.routing = RoutingService(
            Catalogue(models), ROUTES, lambda name: name in usable, {"gpt-*": "glm-4.6"}, settings
        )
        self.circuits = Circuits(CircuitSettings(failures=1), DictStore(), FakeClock(), "w")
        self.keys = {"glm": Keys(), "anthropic": Keys(2, 2)}
        self.money, clock = Money(rates, budget), FakeClock()
        recollection = Recollection(MemoryCounters(), clock)
        failover = FailoverService(DictRecords(), MemoryCounters(), FailoverSettings(), Telemetry(Metrics()), clock)
        landing = SoftLanding({} if budget is None else {"glm-4.6": "glm-4.5-air"}, self.routing, self.money.spending)
        placement = Placement(self.routing, failover, Affinity(recollection, clock), frozenset())
        pipeline = Pipeline(PipelineSettings(), TokenCounter())
        preparation = Preparation(landing, placement, recollection, ThoughtMemory(recollection), pipeline)
        self.explaining = ExplainService(preparation, self.money.foresight, self.circuits, self.keys)

    def plan(self, model: str, caller: Caller | None = None) -> Plan:
        return self.routing.plan(asked(model), caller)

    def where(self, model: str) -> list[str]:
        return [f"{target.provider}:{target.model}" for target in self.plan(model).targets]

    def fail(self, provider: str, model: str, error: GatewayError = BROKEN) -> None:
        permit = self.circuits.admit(Target(provider, model, BIG), sole=True)
        permit.failed(error)
        permit.release()

    def explain(self, model: str, text: str = "Hi", caller: Caller = ALICE, **fields: Any) -> dict[str, Any]:
        origin = Origin("req-1", 0.0, "tenant", caller=caller, ip="10.0.0.1")
        return self.explaining.explain(replace(asked(model, text), **fields), origin)


def asked(model: str, text: str = "Hi") -> ChatRequest:
    return ChatRequest(model, (Message("user", (TextPart(text),)),), Native("openai_chat", {}))


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
    assert reasons["claude-opus"] == "none can be used"
    house.keys["glm"].resting = frozenset({"glm-4.5-air"})
    assert house.explain("glm")["lost"][-1]["reason"] == "none can be used"


def test_the_keys_are_asked_whether_they_have_room_for_the_prompt() -> None:
    house = House(FALLS_BACK)
    house.keys["glm"].room = 50
    assert [one["provider"] for one in house.explain("glm")["targets"]] == ["glm", "anthropic", "glm"]
    long = house.explain("glm", "word " * 60)
    assert [one["provider"] for one in long["targets"]] == ["anthropic"]
    assert [one["reason"] for one in long["lost"] if one["provider"] == "glm"] == ["its limits are used up"] * 2


def test_what_the_limits_of_a_model_would_pass_over_is_among_the_losers() -> None:
    house = House(FALLS_BACK, rates={"models": {"glm-4.6": {"requests_per_minute": 1}}})
    for _ in range(3):
        assert house.explain("glm")["targets"][0]["model"] == "glm-4.6", "nothing is counted for looking"
    house.money.open(caller=ALICE).admit(Target("glm", "glm-4.6", BIG))
    told = house.explain("glm")
    assert [one["model"] for one in told["targets"]] == ["claude-opus", "glm-4.5-air"]
    (lost,) = [one for one in told["lost"] if one["model"] == "glm-4.6"]
    assert lost["reason"].startswith("Rate limit reached for the model glm-4.6: 1 requests per minute. Please try")


@pytest.mark.parametrize("provider", ["glm", "anthropic"])
def test_a_budget_that_must_not_be_left_passes_over_what_has_no_price(provider: str) -> None:
    house = House(FALLS_BACK, budget={"providers": {provider: {"daily_limit": 1}}, "unknown_price": "refuse"})
    lost = [one for one in house.explain("glm")["lost"] if one["provider"] != "web"]
    assert {one["provider"] for one in lost} == {provider}
    assert "Nobody knows what" in lost[0]["reason"]


def test_where_the_caller_may_not_send_it_nothing_would_be_tried() -> None:
    house = House(FALLS_BACK, rates={"tokens_per_minute": 40, "output_tokens": 10, "concurrent_streams": 1})
    assert house.explain("glm")["refused"] is None
    long = house.explain("glm", "word " * 60)
    assert (long["targets"], long["refused"]["status"], long["refused"]["code"]) == ([], 429, "request_too_large")
    assert long["refused"]["details"]["scope"] == "key"
    assert {one["reason"] for one in long["lost"][1:]} == {long["refused"]["message"]}
    held = house.money.open(caller=ALICE, stream=True, sampling=Sampling(max_tokens=1))
    assert house.explain("glm", stream=True)["refused"]["code"] == "too_many_streams"
    assert house.explain("glm", stream=True, caller=BOB)["refused"] is None
    held.refund()
    held.close()
    assert house.explain("glm", stream=True)["refused"] is None


def test_a_request_too_many_would_be_refused_and_looking_is_none() -> None:
    house = House(FALLS_BACK, rates={"requests_per_minute": 1})
    assert [house.explain("glm")["refused"] for _ in range(3)] == [None] * 3


def test_near_the_end_of_a_budget_the_cheaper_model_is_explained() -> None:
    house = House(
        budget={"daily_limit": 0.01, "unknown_price": "allow", "soft_landing": {"share": 0.5, "models": {"x": "y"}}}
    )
    assert house.explain("glm")["landed_on"] is None
    house.money.open(caller=ALICE, sampling=Sampling(max_tokens=1)).settle("one", Usage(uncached=600), 0.006)
    house.money.spent()
    told = house.explain("glm")
    assert (told["model"], told["landed_on"]) == ("glm", "glm-4.5-air")
    assert [one["model"] for one in told["targets"]] == ["glm-4.5-air"]
    assert "A budget is nearly spent: answered by glm-4.5-air" in table(told)


def test_what_a_budget_would_refuse_is_explained_for_the_cheaper_model() -> None:
    dear = replace(BIG, prices=(Price(date(2020, 1, 1), input=10.0, output=100.0),))
    house = House(FALLS_BACK, budget={"daily_limit": 0.0001, "unknown_price": "allow"}, models=[dear, AIR])
    told = house.explain("glm")
    assert (told["refused"], told["landed_on"], told["targets"][0]["model"]) == (None, "glm-4.5-air", "glm-4.5-air")
    assert house.explain("glm/glm-4.6")["refused"]["code"] == "budget_exceeded", "who names an instance stays there"


def test_the_table_tells_a_refusal() -> None:
    told = House(rates={"tokens_per_minute": 1}).explain("glm")
    assert "Refused with 429 request_too_large: Rate limit reached for this key" in table(told)
    assert "credentials" not in table(told).partition("Not tried")[0], "there is nothing to stand under the headings"


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


def test_a_target_that_is_there_for_long_prompts_too_is_told_once() -> None:
    log = DecisionLog(None, FakeClock())
    finished(log, plan=replace(PLAN, longer=[*PLAN.candidates[2:], Candidate(Target("e", "m", BIG), "long")]))
    assert [one["provider"] for one in log.of("req-1")["targets"]] == ["a", "b", "c", "d", "e"]
