"""Writes a request of another dialect as a body of Anthropic's Messages."""

from typing import Any

from core.providers.anthropic_cache import mark_prefix
from core.providers.anthropic_fields import extra_fields, identity_fields, output_fields, sampling_fields, say_format
from core.providers.anthropic_models import is_claude
from core.providers.anthropic_replay import calls_unthinking
from core.providers.anthropic_thinking import plan
from core.providers.anthropic_tools import choice_fields, offered
from core.providers.anthropic_turns import conversation
from core.providers.draft import Draft

Wire = dict[str, Any]


def translated_body(draft: Draft, issuer: str | None, *, marks_prefix: bool) -> Wire:
    """The body, keys always in the same order. Such answers are always streamed: a whole one is folded from chunks.

    `issuer` is the family of providers whose thinking may go back; with `marks_prefix` the prompt is marked for the
    cache where the model has one. Raises InvalidRequest when there is nothing to send.
    """
    claude = is_claude(draft.target.model)
    tools = offered(draft)
    system, turns = conversation(draft, issuer)
    planned = plan(draft, may_budget=not (claude and calls_unthinking(turns)))
    by_budget = claude and planned.thinking.get("type") == "enabled"
    mark_prefix(draft, tools, system, turns, adds=marks_prefix and "prompt_cache" in draft.target.info.abilities)
    say_format(draft, turns)
    body: Wire = {
        "model": draft.target.model,
        "max_tokens": planned.max_tokens,
        **({"tools": tools, **choice_fields(draft, may_force=not by_budget)} if tools else {}),
        **({"system": system} if system else {}),
        "messages": turns,
        "stream": True,
        **sampling_fields(draft, thinks=planned.on),
        **({"thinking": planned.thinking} if planned.thinking else {}),
        **output_fields(draft, planned.effort),
        **identity_fields(draft),
    }
    return {**body, **extra_fields(draft)}
