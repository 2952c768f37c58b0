"""Translates sampling, thinking and other plain parameters to GLM's fields."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from core.providers import carrying
from core.providers.draft import Draft
from schemas.chat import Sampling, ThinkingOptions
from schemas.model import ThinkingControl

Wire = dict[str, Any]

LEVELS: Mapping[ThinkingControl, Mapping[str, str]] = {
    "effort": {"low": "high", "medium": "high", "high": "high", "xhigh": "max", "max": "max"},
    "forced": {"low": "low", "medium": "high", "high": "high", "xhigh": "max", "max": "max"},
}
"""The effort levels that have an effect, by how the model is steered."""

OFF = frozenset({"none", "minimal"})
SILENT = ThinkingOptions()
LEVELS_OFF: frozenset[ThinkingControl] = frozenset({"switch", "effort"})
"""Ways to steer thinking that include turning it off."""
LEAST_EFFORT = "low"

PASSED = frozenset({"do_sample", "sensitive_word_check", "watermark_enabled", "meta"})
"""GLM's own parameters: they go out as they came, over anything the gateway derived."""

HARMLESS: Mapping[str, tuple[Any, ...]] = {
    **carrying.HARMLESS,
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
}
"""OpenAI's parameters that GLM has not, with the values that ask for nothing GLM would not do by itself."""

SETTLED = carrying.SETTLED | {"user_id"}
"""What has been read into the canonical request or is the gateway's own to set: neither sent from here nor missed."""


def sampling_fields(draft: Draft) -> Wire:
    """GLM's sampling: temperature 0 is greedy decoding, and only the first stop word is its own."""
    sampling = draft.request.sampling
    fields = _temperature(sampling.temperature)
    if sampling.top_p is not None:
        fields["top_p"] = min(1.0, max(0.01, sampling.top_p))
    if sampling.max_tokens is not None:
        limit = draft.target.info.max_output
        fields["max_tokens"] = min(sampling.max_tokens, limit) if limit > 0 else sampling.max_tokens
    if sampling.stop:
        fields["stop"] = [sampling.stop[0]]
    _drop_unknown(draft, sampling)
    return fields


def _temperature(temperature: float | None) -> Wire:
    if temperature is None:
        return {}
    # The vendor's SDKs send 0 as 0.01 without sampling: hosts that still want an open interval refuse 0 itself.
    fields: Wire = {"temperature": min(1.0, max(0.01, round(temperature, 2)))}
    return fields if temperature >= 0.01 else {"do_sample": False, **fields}


def _drop_unknown(draft: Draft, sampling: Sampling) -> None:
    if sampling.seed is not None:
        draft.drop("seed")
    if sampling.presence_penalty:
        draft.drop("presence_penalty")
    if sampling.frequency_penalty:
        draft.drop("frequency_penalty")


def thinking_fields(draft: Draft) -> Wire:
    """GLM's thinking switch and effort, as far as the model has them; an explicit switch goes before an effort."""
    asked = draft.request.thinking
    control = draft.target.info.thinking
    effort, enabled = asked.effort, asked.enabled
    if asked == SILENT and draft.request.native.dialect == "anthropic_messages" and control in LEVELS_OFF:
        # Where Anthropic's clients say nothing they mean no thinking, and GLM thinks until it is told not to.
        enabled = False
    if effort is not None and enabled is not None and enabled == (effort in OFF):
        draft.drop("reasoning_effort")
        effort = None
    if enabled is None and effort is not None:
        enabled = effort not in OFF
        if enabled and control == "switch":
            draft.drop("reasoning_effort")
    if control == "none":
        return _no_thinking(draft, enabled=enabled)
    if control == "forced" and enabled is False:
        draft.drop("thinking" if asked.enabled is False else "reasoning_effort")
        enabled, effort = True, LEAST_EFFORT
    return {**_switch(enabled, asked.clear), **_effort(draft, control, effort)}


def _no_thinking(draft: Draft, *, enabled: bool | None) -> Wire:
    asked = draft.request.thinking
    if enabled:
        draft.drop("thinking" if asked.enabled else "reasoning_effort")
    if asked.clear is not None:
        draft.drop("clear_thinking")
    return {}


def _switch(enabled: bool | None, clear: bool | None) -> Wire:
    if enabled is None and clear is None:
        return {}
    switch: Wire = {"type": "disabled" if enabled is False else "enabled"}
    return {"thinking": switch if clear is None else {**switch, "clear_thinking": clear}}


def _effort(draft: Draft, control: ThinkingControl, effort: str | None) -> Wire:
    if effort is None or effort in OFF or control not in LEVELS:
        return {}
    level = LEVELS[control].get(effort)
    if level is None:
        draft.drop("reasoning_effort")
        return {}
    return {"reasoning_effort": level}


def identity_fields(draft: Draft) -> Wire:
    """Our request id, and the user where GLM's bounds (6 to 128 characters) admit one."""
    fields: Wire = {"request_id": bounded_id(draft.request_id)}
    extra = draft.request.extra
    for name, user in (
        ("user", draft.user(128) if draft.request.native.dialect == "anthropic_messages" else draft.request.user),
        ("user_id", extra.get("user_id")),
        ("safety_identifier", extra.get("safety_identifier")),
    ):
        if user is None:
            continue
        if "user_id" not in fields and isinstance(user, str) and 6 <= len(user) <= 128:
            fields["user_id"] = user
        else:
            draft.drop(name)
    return fields


def bounded_id(request_id: str) -> str:
    """`request_id` itself if it has 6 to 64 characters, else a form of it that has, and is as unique."""
    if 6 <= len(request_id) <= 64:
        return request_id
    return f"{request_id[:31]}-{sha256(request_id.encode()).hexdigest()[:32]}"


def extra_fields(draft: Draft) -> Wire:
    """GLM's own parameters among the client's others; what asked for something GLM cannot do is dropped by name."""
    fields: Wire = {}
    for name, value in draft.request.extra.items():
        if value is None or name in SETTLED or name == "safety_identifier":
            continue
        if name in PASSED:
            fields[name] = value
        elif value not in HARMLESS.get(name, ()):
            draft.drop(name)
    return fields
