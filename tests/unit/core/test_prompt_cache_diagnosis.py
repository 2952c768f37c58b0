"""What providers say themselves of a miss, and that it is believed."""

import pytest

from core.prompt_cache.causes import Blame
from core.prompt_cache.diagnosis import UNCHANGED, Diagnosis, anthropic_diagnosis, overruled
from schemas.usage import Usage
from tests.unit.core.prompt_cache_kit import CLAUDE, NOW, Memory, blocks, claude

ASKED = {"previous_message_id": "msg_1"}
SAYS = [f"turn {index} " + "x" * 400 for index in range(8)]


@pytest.mark.parametrize(
    ("asked", "told", "meaning"),
    [
        (ASKED, None, UNCHANGED),
        (None, None, None),
        ({"previous_message_id": None}, None, None),
        (ASKED, {"cache_miss_reason": None}, None),
        (ASKED, {"cache_miss_reason": {"type": "previous_message_not_found"}}, None),
        (ASKED, {"cache_miss_reason": {"type": "unavailable"}}, None),
        (ASKED, {"cache_miss_reason": {"type": ["x"]}}, None),
        (ASKED, {"cache_miss_reason": "x"}, None),
        (ASKED, "x", None),
        (
            ASKED,
            {"cache_miss_reason": {"type": "model_changed", "cache_missed_input_tokens": 9}},
            Diagnosis(is_other_model=True),
        ),
        (ASKED, {"cache_miss_reason": {"type": "system_changed"}}, Diagnosis("system")),
        (ASKED, {"cache_miss_reason": {"type": "tools_changed"}}, Diagnosis("tools")),
        (ASKED, {"cache_miss_reason": {"type": "messages_changed"}}, Diagnosis("messages")),
    ],
)
def test_anthropics_words(asked, told, meaning):
    assert anthropic_diagnosis(asked, told) == meaning


EVICTED = Blame("evicted")
FINER = Blame("mutated_by_client", "messages[3].content[0]")
STRIPPED = Blame("mutated_by_gateway", parameter="cache_control")


@pytest.mark.parametrize(
    ("own", "said", "expected"),
    [
        (EVICTED, None, EVICTED),
        (EVICTED, UNCHANGED, EVICTED),
        (EVICTED, Diagnosis("system"), Blame("mutated_by_client", "system")),
        (EVICTED, Diagnosis(parameter="verbosity"), Blame("param_changed", parameter="verbosity")),
        (EVICTED, Diagnosis(is_other_model=True), Blame("model_switched")),
        (Blame("provider_switched"), Diagnosis(is_other_model=True), Blame("provider_switched")),
        (
            Blame("param_changed", parameter="speed"),
            Diagnosis(is_other_model=True),
            Blame("param_changed", None, "speed"),
        ),
        (FINER, Diagnosis("messages"), FINER),
        (FINER, Diagnosis("tools"), Blame("mutated_by_client", "tools")),
        (Blame("rotated"), UNCHANGED, EVICTED),
        (STRIPPED, UNCHANGED, STRIPPED),
    ],
)
def test_the_providers_word_counts_unless_ours_is_the_finer_one_for_the_same(own, said, expected):
    assert overruled(own, said, is_kept=False, estimated=False) == expected


def test_what_changed_though_the_client_sent_it_all_again_the_gateway_has_changed():
    blame = overruled(EVICTED, Diagnosis("system"), is_kept=True, estimated=False)
    assert blame == Blame("mutated_by_gateway", "system")


def test_that_nothing_has_changed_proves_no_loss_that_is_only_estimated():
    assert overruled(FINER, UNCHANGED, is_kept=False, estimated=True) == FINER


def test_a_diagnosis_decides_whether_the_provider_is_at_fault():
    memory = Memory()
    memory.remember(claude(blocks(*SAYS[:3])), Usage(1, 0, 10_000, 0, 5), CLAUDE)

    def judged(diagnosis):
        asked = claude(blocks(*SAYS[:5]), NOW + 60)
        return memory.judge(asked, Usage(1, 0, 12_000, 0, 5), "claude-opus-5-5", CLAUDE, diagnosis=diagnosis)

    assert (judged(None).cause, judged(None).provider_fault) == ("evicted", True)
    assert (judged(UNCHANGED).cause, judged(UNCHANGED).provider_fault) == ("evicted", True)
    changed = judged(Diagnosis("tools"))
    assert (changed.cause, changed.block, changed.lost, changed.provider_fault) == (
        "mutated_by_gateway",
        "tools",
        10_000,
        False,
    )
