"""What is found of an answered request: no loss under its own name, or a loss with its cause."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.prompt_cache.judge import judge, write_waste
from core.prompt_cache.rules import RULES
from schemas.usage import Usage
from tests.unit.core.prompt_cache_kit import (
    AT_ANTHROPIC,
    AT_ZAI,
    CLAUDE,
    GLM,
    MARK,
    NOW,
    Memory,
    blocks,
    claude,
    price,
    prompt,
    talk,
)

OPUS = "claude-opus-5-5"
SAYS = [f"turn {index} " + "x" * 400 for index in range(12)]
BEFORE = Usage(uncached=10_000, read=0, output=5)
MISSED, READ = Usage(uncached=24_000, read=0, output=5), Usage(uncached=14_000, read=10_000, output=5)
WRITTEN = Usage(uncached=200, read=0, write_short=10_000, write_long=0, output=5)
REWRITTEN = Usage(uncached=200, read=0, write_short=12_000, write_long=0, output=5)
PLAIN = Usage(uncached=12_200, read=0, write_short=0, write_long=0, output=5)


def glm(now, usage=MISSED, *, seconds=60.0, then=None, begun=1.0, rules=GLM, identity=AT_ZAI, client=None, **more):
    """The finding of a request to GLM, so long after one that sent five turns."""
    memory = Memory()
    memory.remember(prompt(then or talk(*SAYS[:5])), BEFORE, rules, begun)
    return memory.judge(prompt(now, NOW + seconds, identity, client), usage, "glm-5.3", rules, **more)


def opus(now, usage=REWRITTEN, *, then=None, before=None, seconds=60.0, identity=AT_ANTHROPIC, client=None, **more):
    """The same of Claude; `before` is what the client had sent that time."""
    memory = Memory()
    memory.remember(claude(then or blocks(*SAYS[:5]), client=before), WRITTEN, CLAUDE)
    return memory.judge(claude(now, NOW + seconds, identity, client), usage, OPUS, CLAUDE, **more)


def test_what_is_read_as_expected_is_a_hit_with_its_saving():
    finding = glm(talk(*SAYS[:7]), READ)
    assert (finding.cause, finding.expected, finding.lost, finding.lost_usd) == ("hit", 10_000, 0, 0.0)
    assert finding.saved_usd == pytest.approx(10_000 * 1.14 / 1e6)
    assert finding.hit_ratio == pytest.approx(10 / 24)
    assert (finding.block, finding.parameter, finding.estimated, finding.provider_fault) == (None, None, False, False)


def test_a_prompt_that_nothing_like_it_was_sent_before_is_cold():
    finding = glm(talk("other", "words"))
    assert (finding.cause, finding.expected, finding.lost, finding.missed) == ("cold", 0, 0, 0)
    assert judge(prompt(talk("a")), None, MISSED, None, None).cause == "cold"


def test_what_was_read_was_there_though_nobody_knows_of_a_cache():
    assert judge(prompt(talk("a")), None, READ, None, None).cause == "hit"


@pytest.mark.parametrize("usage", [None, Usage(), Usage(uncached=12_000, output=5)])
def test_where_the_provider_reports_no_reading_nothing_is_claimed(usage):
    finding = glm(talk(*SAYS), usage)
    assert (finding.cause, finding.read, finding.hit_ratio, finding.lost, finding.lost_usd) == (
        "unreported",
        None,
        None,
        0,
        0.0,
    )


def test_a_server_of_ones_own_loses_nothing():
    assert judge(prompt(talk("a")), None, Usage(uncached=9_000, output=1), None, None).lost_usd == 0.0


def test_what_is_shorter_than_the_minimum_is_no_loss():
    finding = glm(talk(SAYS[0], "changed"), rules=replace(GLM, minimum=4_096))
    assert (finding.cause, finding.expected, finding.lost, finding.block) == ("below_min", 0, 0, "messages[1]")


def test_a_cache_that_has_expired_is_told_with_what_that_cost():
    finding = glm(talk(*SAYS), seconds=301.0)
    assert (finding.cause, finding.expected, finding.lost, finding.lost_usd) == ("expired", 0, 0, 0.0)
    assert (finding.missed, finding.missed_usd) == (10_000, pytest.approx(10_000 * 1.14 / 1e6))
    assert not finding.provider_fault


def test_a_cache_that_was_still_there_after_its_time_is_a_hit():
    finding = glm(talk(*SAYS), READ, seconds=301.0)
    assert (finding.cause, finding.missed, finding.missed_usd) == ("hit", 0, 0.0)


def test_what_expired_is_told_though_another_conversation_kept_the_beginning_warm():
    memory = Memory()
    memory.remember(prompt(talk(*SAYS[:5]), NOW - 400), BEFORE)
    memory.remember(prompt(talk(SAYS[0], "fork"), NOW - 10), Usage(uncached=2_000, read=0, output=1))
    finding = memory.judge(prompt(talk(*SAYS), NOW), Usage(uncached=22_000, read=2_000, output=1))
    assert (finding.cause, finding.missed, finding.lost) == ("expired", 8_000, 0)
    assert finding.expected == pytest.approx(1_900, abs=100)
    assert memory.judge(prompt(talk(*SAYS), NOW), READ).cause == "hit"
    # By the prompt's own count what they share is too short.
    assert memory.judge(prompt(talk(*SAYS), NOW), Usage(uncached=10_900, read=0, output=1)).cause == "expired"


def test_what_expired_and_would_have_been_too_short_hides_no_hit():
    memory = Memory()
    memory.remember(prompt(talk(*SAYS[:3], "fork", *SAYS[4:6]), NOW - 400), BEFORE)
    memory.remember(prompt(talk(SAYS[0]), NOW - 10), Usage(uncached=2_000, read=0, output=1))
    finding = memory.judge(prompt(talk(*SAYS), NOW), Usage(uncached=100, read=2_000, output=1))
    assert (finding.cause, finding.expected, finding.missed) == ("hit", 2_000, 0)


def test_a_parallel_request_is_a_race_and_no_loss():
    finding = glm(talk(*SAYS), seconds=2.0, begun=2.5)
    assert (finding.cause, finding.lost, finding.missed) == ("race", 0, 10_000)
    assert glm(talk(*SAYS), seconds=2.5, begun=2.5).cause == "evicted"


def test_a_client_that_marks_nothing_for_anthropic_misses_a_saving_and_loses_nothing():
    finding = opus(blocks(*SAYS, marks=()), PLAIN)
    assert (finding.cause, finding.lost, finding.missed) == ("unmarked", 0, 10_000)
    assert finding.missed_usd == pytest.approx(10_000 * 3.8 / 1e6)
    first = judge(claude(blocks("a", marks=())), None, PLAIN, price(OPUS), CLAUDE)
    assert (first.cause, first.missed) == ("unmarked", 0)


def test_marks_that_stand_too_far_behind_what_was_cached_ask_for_nothing_of_it():
    far = [*SAYS[:5], *(f"more {index}" for index in range(30))]
    finding = opus(blocks(*far))
    assert (finding.cause, finding.lost, finding.missed, finding.provider_fault) == ("unmarked", 0, 10_000, False)


def test_a_prompt_that_was_written_and_never_read_is_a_waste():
    finding = write_waste(4_000, 6_000, price(OPUS))
    assert (finding.cause, finding.missed, finding.lost) == ("write_waste", 10_000, 0)
    assert finding.missed_usd == pytest.approx((4_000 * 1 + 6_000 * 4) / 1e6)
    assert write_waste(4_000, 6_000, None).missed_usd is None


def test_a_prompt_that_has_not_changed_and_is_in_time_was_evicted_by_the_provider():
    finding = glm(talk(*SAYS))
    assert (finding.cause, finding.expected, finding.lost) == ("evicted", 10_000, 10_000)
    assert finding.lost_usd == pytest.approx(10_000 * 1.14 / 1e6)
    assert (finding.provider_fault, finding.estimated, finding.block) == (True, False, None)


def test_another_key_is_the_gateways_own_fault():
    finding = glm(talk(*SAYS), identity=replace(AT_ZAI, account="key-2"))
    assert (finding.cause, finding.lost, finding.provider_fault) == ("rotated", 10_000, False)


def test_another_provider_is_told_by_what_the_client_has_sent():
    identity = replace(AT_ZAI, family="deepseek", account="key-9", upstream_model="deepseek-v4-flash")
    other = {"model": "deepseek-v4-flash", "messages": [{"role": "system", "content": "s"}, *talk(*SAYS)["messages"]]}
    finding = glm(other, identity=identity, client=talk(*SAYS))
    assert (finding.cause, finding.lost, finding.estimated, finding.block) == ("provider_switched", 10_000, True, None)


def test_blocks_are_not_compared_with_those_of_another_provider():
    identity = replace(AT_ZAI, family="deepseek")
    finding = glm(talk("s", *SAYS), READ, identity=identity, client=talk(*SAYS))
    assert (finding.cause, finding.block) == ("hit", None)


def test_a_prompt_that_needs_marks_only_where_it_was_moved_to_was_lost_by_moving_it():
    memory, at_zai = Memory(), replace(AT_ANTHROPIC, family="zhipu")
    memory.remember(claude(blocks(*SAYS[:5], marks=()), identity=at_zai), BEFORE)
    finding = memory.judge(claude(blocks(*SAYS, marks=()), NOW + 60), PLAIN, OPUS, CLAUDE)
    assert (finding.cause, finding.lost) == ("provider_switched", 10_000)


def test_another_model_of_the_same_provider_has_no_cache_of_it():
    finding = glm(talk(*SAYS), identity=replace(AT_ZAI, upstream_model="glm-5"))
    assert (finding.cause, finding.lost, finding.estimated) == ("model_switched", 10_000, True)


def test_a_prompt_that_the_gateway_changed_is_its_own_fault():
    changed = talk("It is 12:01 now.", *SAYS[1:])
    finding = glm(changed, client=talk(*SAYS))
    assert (finding.cause, finding.block, finding.lost) == ("mutated_by_gateway", "messages[0]", 10_000)
    finding = glm(talk(*SAYS[:3], "changed", *SAYS[4:]), client=talk(*SAYS))
    assert (finding.cause, finding.block) == ("mutated_by_gateway", "messages[3]")
    far = [f"more {index}" for index in range(30)]
    finding = opus(blocks("now", *SAYS[1:5], *far), client=blocks(*SAYS[:5], *far))
    assert (finding.cause, finding.block) == ("mutated_by_gateway", "messages[0].content[0]")


def test_a_prompt_that_the_client_changed_is_its_fault_from_the_first_block_that_differs():
    finding = glm(talk(*SAYS[:3], "changed", *SAYS[4:]))
    assert (finding.cause, finding.block, finding.estimated) == ("mutated_by_client", "messages[3]", True)
    assert finding.lost == finding.expected == pytest.approx(6_000, abs=50)
    read = glm(talk(*SAYS[:3], "changed"), Usage(uncached=6_000, read=5_952, output=1))
    assert (read.cause, read.block) == ("hit", "messages[3]")


def test_what_stood_behind_the_last_mark_was_not_cached_and_may_change():
    then = blocks(*SAYS[:5], marks=(3,))
    finding = opus(blocks(*SAYS[:4], "changed", marks=(3, -1)), then=then)
    assert (finding.cause, finding.expected, finding.estimated, finding.block) == ("evicted", 10_000, False, None)


@pytest.mark.parametrize(
    ("then", "now", "name"),
    [
        ({}, {"reasoning_effort": "high"}, "reasoning_effort"),
        ({"tool_choice": "auto"}, {"tool_choice": "none"}, "tool_choice"),
        ({"prompt_cache_key": "a"}, {}, "prompt_cache_key"),
        ({"service_tier": "flex"}, {"service_tier": "default"}, "service_tier"),
        ({"thinking": {"type": "enabled"}}, {"thinking": {"type": "disabled"}, "verbosity": "low"}, "thinking"),
        ({"temperature": 1}, {"temperature": 0}, None),
        ({"model": "glm-5.3"}, {"model": "glm-5.3-alias"}, None),
    ],
)
def test_a_parameter_that_a_cache_depends_on_is_named(then, now, name):
    finding = glm(talk(*SAYS, **now), then=talk(*SAYS[:5], **then))
    assert (finding.cause, finding.parameter) == (("evicted", None) if name is None else ("param_changed", name))


def test_the_first_cause_that_holds_is_told():
    changed = talk(*SAYS[:3], "changed", *SAYS[4:], reasoning_effort="high")
    assert glm(changed, identity=replace(AT_ZAI, account="key-2", upstream_model="glm-5")).cause == "rotated"
    assert glm(changed, identity=replace(AT_ZAI, upstream_model="glm-5")).cause == "model_switched"
    assert glm(changed, client=talk(*SAYS)).cause == "mutated_by_gateway"
    assert glm(changed).cause == "mutated_by_client"


def test_a_mark_that_the_gateway_did_not_send_on_is_its_own_fault():
    stripped = blocks(*SAYS, marks=())
    finding = opus(stripped, PLAIN, client=blocks(*SAYS))
    assert (finding.cause, finding.parameter, finding.lost) == ("mutated_by_gateway", "cache_control", 10_000)
    assert finding.lost_usd == pytest.approx(10_000 * 3.8 / 1e6)
    assert not finding.provider_fault


def test_a_mark_that_the_gateway_had_set_itself_and_now_has_not_is_its_own_fault():
    finding = opus(blocks(*SAYS, marks=()), PLAIN, before=blocks(*SAYS[:5], marks=()))
    assert (finding.cause, finding.parameter) == ("mutated_by_gateway", "cache_control")


def test_a_loss_at_an_unknown_price_is_told_in_tokens():
    memory = Memory()
    memory.remember(prompt(talk(*SAYS[:5])), BEFORE)
    asked = prompt(talk(*SAYS), NOW + 9)
    finding = judge(asked, memory.match(asked), MISSED, None, GLM)
    assert (finding.lost, finding.lost_usd, finding.saved_usd) == (10_000, None, None)


def test_dollars_of_a_plan_with_a_flat_fee_are_notional():
    assert glm(talk(*SAYS), notional=True).notional
    assert glm(talk("cold"), notional=True).notional
    assert glm(talk("cold"), None, notional=True).notional
    assert not glm(talk(*SAYS)).notional


def test_a_conversation_with_claude_that_moves_its_mark_along_is_never_blamed():
    memory = Memory()
    for turn in range(1, 12, 2):
        asked = claude(blocks(*SAYS[:turn]), NOW + turn)
        read = 2_000 * (turn - 2) if turn > 1 else 0
        usage = Usage(uncached=3, read=read, write_short=2_000 * turn - read, write_long=0, output=5)
        finding = memory.judge(asked, usage, OPUS, CLAUDE)
        memory.remember(asked, usage, CLAUDE, begun=0.5)
        assert finding.cause == ("cold" if turn == 1 else "hit")
        assert finding.expected == read


makers = st.sampled_from(sorted(RULES))
counts = st.integers(0, 200_000)


@given(
    makers,
    st.integers(0, 8),
    st.booleans(),
    st.floats(0, 4_000),
    st.tuples(counts, counts, counts, counts),
    st.sampled_from(["key-1", "key-2"]),
    st.sampled_from([{}, {"thinking": {"type": "adaptive"}}]),
)
def test_whatever_happens_no_more_is_lost_than_was_expected(maker, common, marks, seconds, figures, account, fields):
    rules, memory = RULES[maker], Memory()
    memory.remember(claude(blocks(*SAYS[:8])), Usage(100, 0, 9_900, 0, 5), rules)
    body = blocks(*SAYS[:common], "other", marks=(-1,) if marks else (), **fields)
    usage = Usage(*figures, output=5)
    asked = claude(body, NOW + 2 + seconds, replace(AT_ANTHROPIC, account=account))
    finding = memory.judge(asked, usage, OPUS, rules)
    assert 0 <= finding.lost <= finding.expected <= max(usage.prompt, 0)
    assert finding.lost_usd >= 0
    assert finding.missed_usd >= 0
    assert finding.provider_fault == (finding.cause == "evicted")
    assert (finding.lost > 0) == (finding.cause in {"rotated", "mutated_by_client", "param_changed", "evicted"})
    assert not (finding.lost and finding.missed)


def test_marks_alone_make_no_difference_to_who_is_to_blame():
    then = blocks(*SAYS[:5])
    then["tools"] = [{"name": "f", "input_schema": {}, "cache_control": MARK}]
    now = {**blocks(*SAYS), "tools": [{"name": "f", "input_schema": {}}]}
    assert opus(now, then=then).cause == "evicted"
