"""Reads what a provider itself says of why a prompt was not read from its cache."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.prompt_cache.causes import MARK, Blame


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The provider's word for what has changed: a part of the prompt, a parameter, or the model; else nothing has.

    A `section` is `tools`, `system` or `messages`. To Anthropic another speed is another model.
    """

    section: str | None = None
    parameter: str | None = None
    is_other_model: bool = False


UNCHANGED = Diagnosis()

ANTHROPIC_REASONS: Mapping[str, Diagnosis] = {
    "model_changed": Diagnosis(is_other_model=True),
    "system_changed": Diagnosis(section="system"),
    "tools_changed": Diagnosis(section="tools"),
    "messages_changed": Diagnosis(section="messages"),
}
"""Its other words tell nothing of the cause: `previous_message_not_found` and `unavailable`."""


def anthropic_diagnosis(asked: Any, told: Any) -> Diagnosis | None:
    """What the `diagnostics` of an answer tell, of a request whose own `diagnostics` were `asked`; None for nothing.

    (https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics) Null means that nothing has changed, but
    only when there was a message to compare with; a null reason, that it is not known yet.
    """
    if not isinstance(asked, dict) or not asked.get("previous_message_id"):
        return None
    if told is None:
        return UNCHANGED
    reason = told.get("cache_miss_reason") if isinstance(told, dict) else None
    kind = reason.get("type") if isinstance(reason, dict) else None
    return ANTHROPIC_REASONS.get(kind) if isinstance(kind, str) else None


def overruled(own: Blame, said: Diagnosis | None, *, is_kept: bool, estimated: bool) -> Blame:
    """The cause by the provider's word, or our own where that is the finer word for the same.

    `is_kept`: the client has changed nothing, so that what has changed, the gateway did. That nothing has changed is no
    proof of a loss that is only estimated.
    """
    if said is None or own.parameter == MARK or (said == UNCHANGED and estimated):
        return own
    if said.is_other_model:
        same = own.cause in ("provider_switched", "model_switched") or own.parameter == "speed"
        return own if same else Blame("model_switched")
    if said.parameter is not None:
        return Blame("param_changed", parameter=said.parameter)
    if said.section is not None:
        finer = own.block is not None and own.block.startswith(said.section)
        return own if finer else Blame("mutated_by_gateway" if is_kept else "mutated_by_client", said.section)
    return Blame("evicted")
