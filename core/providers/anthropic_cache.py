"""Marks where the prefix of a translated prompt is worth caching.

(https://platform.claude.com/docs/en/build-with-claude/prompt-caching)
"""

from collections.abc import Iterator, Sequence
from typing import Any

from core.providers.anthropic_content import MARK
from core.providers.draft import Draft

Wire = dict[str, Any]

MOST = 4
LONG = "1h"
MARKED_TURNS = 2
"""The last two turns of the user's: what this request writes for the next one, and what the one before wrote."""


def mark_prefix(draft: Draft, tools: list[Wire], system: list[Wire], turns: list[Wire], *, adds: bool) -> None:
    """Bring the marks in the blocks to what Anthropic takes, and set some if the client set none and `adds`.

    They are changed in place. Of the client's own the first four are kept, and one hour is never asked for behind five
    minutes. Ours are the end of the tools, of the system prompt, and of the last two turns of the user's.
    """
    prefix = [*tools, *system, *(block for turn in turns for block in turn["content"])]
    marks = [block for block in prefix if MARK in block]
    automatic = MARK in draft.request.extra
    if marks:
        _legalise(draft, marks, MOST - automatic)
    elif adds and not automatic:
        for block in _ends(tools, system, turns):
            block[MARK] = {"type": "ephemeral"}


def _legalise(draft: Draft, marks: Sequence[Wire], most: int) -> None:
    for block in marks[most:]:
        draft.drop(MARK)
        del block[MARK]
    short = False
    for block in marks[:most]:
        long = block[MARK].get("ttl") == LONG
        if long and short:
            draft.drop(f"{MARK}.ttl")
            block[MARK] = {name: value for name, value in block[MARK].items() if name != "ttl"}
        short = short or not long


def _ends(tools: list[Wire], system: list[Wire], turns: list[Wire]) -> Iterator[Wire]:
    yield from tools[-1:]
    yield from system[-1:]
    users = [turn for turn in turns if turn["role"] == "user"]
    yield from (turn["content"][-1] for turn in users[-MARKED_TURNS:])
