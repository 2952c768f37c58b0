"""Repairs a malformed history, which would otherwise spoil its conversation for good."""

from collections.abc import Mapping
from typing import Any

from api.dialects.anthropic_messages_mending import mended
from api.dialects.anthropic_messages_pairing import paired


def repaired(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The body with its messages repaired, and a name for each place; the same object when nothing was wrong.

    `content`: content that is neither string nor array; `tool_input`: arguments that are no object; `empty_text`,
    `empty_turn`: left out; `tool_result_missing`: put in as an error; `tool_result_orphan`: turned into text;
    `tool_result_order`: moved to the front of its turn. Never raises, and takes linear time.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        return body, ()
    names: list[str] = []
    sound = [kept for message in messages if (kept := mended(message, names)) is not None or message is None]
    in_pairs = paired(sound, names)
    return ({**body, "messages": in_pairs}, tuple(names)) if names else (body, ())
