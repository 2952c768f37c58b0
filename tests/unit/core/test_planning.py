"""What follows from a rule: the targets in their order, and why nothing else is tried."""

from typing import Any

from config.settings import RouteSettings
from core.planning import Served, first_match, planned
from core.route_rules import Facts
from schemas.chat import ChatRequest, Message, Native, TextPart
from schemas.model import ModelInfo, Target
from schemas.route import Loser, Plan, Verdict


def target(model: str, provider: str = "p", context: int = 1000) -> Target:
    return Target(provider, model, ModelInfo(model, "o", context, 100, {}))


SERVED = {
    "small": Served([target("small", context=100)]),
    "big": Served([target("big", context=10_000)]),
    "both": Served([target("both", "p"), target("both", "q")], [Loser("r", "both", "it has no credential")]),
    "plain": Served([target("plain")]),
    "vague": Served([target("vague", context=0)]),
    "closed": Served([], [Loser("r", "closed", "it has no credential")]),
}


def facts(tokens: int = 10, model: str = "plain") -> Facts:
    text = "x" * (4 * max(0, tokens - 6))
    return Facts(ChatRequest(model, (Message("user", (TextPart(text),)),), Native("openai_chat", {})), None, [model])


def plan(tokens: int = 10, session: str = "s", **rule: Any) -> Plan:
    settings = RouteSettings.model_validate({"name": "r", **rule})
    return planned(settings, (), facts(tokens), session, lambda name: SERVED.get(name, Served()))


def where(one: Plan) -> list[str]:
    return [f"{candidate.target.provider}/{candidate.target.model}" for candidate in one.candidates]


def lost(one: Plan) -> dict[str, str]:
    return {loser.model: loser.reason for loser in one.losers}


def test_the_first_rule_that_matches_counts_and_those_before_it_say_why_not() -> None:
    rules = [
        RouteSettings.model_validate(one)
        for one in ({"name": "a", "match": {"stream": True}}, {"name": "b"}, {"name": "c"})
    ]
    rule, verdicts = first_match(rules, facts())
    assert rule is rules[1]
    assert verdicts == [Verdict("a", "the answer is not streamed"), Verdict("b")]
    assert first_match(rules[:1], facts()) == (None, verdicts[:1])


def test_without_targets_the_model_that_was_asked_for_is_the_target() -> None:
    one = plan(fallbacks=["big"])
    assert where(one) == ["p/plain", "p/big"]
    assert [candidate.why for candidate in one.candidates] == ["the model that was asked for", "fallback 1"]


def test_fallbacks_follow_the_targets_in_their_order() -> None:
    assert where(plan(targets=[{"model": "big"}], fallbacks=["vague", "plain"])) == ["p/big", "p/vague", "p/plain"]


def test_every_instance_that_serves_a_model_is_tried_and_the_others_say_why_not() -> None:
    one = plan(targets=[{"model": "both"}])
    assert where(one) == ["p/both", "q/both"]
    assert lost(one) == {"both": "it has no credential"}


def test_a_target_is_tried_once_however_often_it_is_named() -> None:
    assert where(plan(targets=[{"model": "both"}], fallbacks=["both", "plain", "plain"])) == [
        "p/both",
        "q/both",
        "p/plain",
    ]


def test_a_conversation_has_one_first_target_and_the_other_is_its_fallback() -> None:
    targets = [{"model": "plain", "weight": 1}, {"model": "vague", "weight": 3}]
    orders = {tuple(where(plan(session=f"s{number}", targets=targets))) for number in range(50)}
    assert orders == {("p/plain", "p/vague"), ("p/vague", "p/plain")}
    why = {one.target.model: one.why for one in plan(targets=targets).candidates}
    assert why == {
        "plain": "target, with 25% of the conversations",
        "vague": "target, with 75% of the conversations",
    }


def test_what_cannot_be_tried_says_why() -> None:
    one = plan(targets=[{"model": "plain"}, {"model": "big", "weight": 0}], fallbacks=["closed", "nowhere"])
    assert where(one) == ["p/plain"]
    assert lost(one) == {
        "big": "its weight is 0",
        "closed": "it has no credential",
        "nowhere": "nobody here serves it",
    }


def test_a_rule_may_lead_nowhere() -> None:
    assert plan(targets=[{"model": "closed"}]).candidates == ()


# The prompt's size


def test_a_prompt_that_does_not_fit_goes_to_the_fallback_for_long_ones_ahead_of_the_others() -> None:
    one = plan(500, targets=[{"model": "small"}], fallbacks=["plain"], context_fallback="big")
    assert where(one) == ["p/big", "p/plain"]
    assert lost(one) == {"small": "the prompt of about 500 tokens does not fit its context of 100"}
    assert one.longer == ()
    assert one.prompt_tokens == 500


def test_a_prompt_that_fits_leaves_that_for_when_the_provider_disagrees() -> None:
    one = plan(50, targets=[{"model": "small"}], fallbacks=["plain"], context_fallback="big")
    assert where(one) == ["p/small", "p/plain"]
    assert [candidate.target.model for candidate in one.longer] == ["big"]


def test_fallbacks_that_a_prompt_does_not_fit_are_left_out() -> None:
    assert where(plan(500, targets=[{"model": "plain"}], fallbacks=["small"])) == ["p/plain"]


def test_a_context_that_nobody_knows_fits() -> None:
    assert where(plan(500, targets=[{"model": "vague"}], fallbacks=["small"])) == ["p/vague"]


def test_an_estimate_alone_refuses_nothing() -> None:
    one = plan(50_000, targets=[{"model": "small"}], fallbacks=["big"], context_fallback="plain")
    assert where(one) == ["p/small", "p/big"]
    assert lost(one) == {}


def test_nothing_is_estimated_where_it_makes_no_difference() -> None:
    assert plan(500, targets=[{"model": "plain"}], fallbacks=["both"]).prompt_tokens is None
