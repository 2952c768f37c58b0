"""Makes one usage of the figures that an Anthropic answer tells piece by piece.

(https://platform.claude.com/docs/en/build-with-claude/streaming)
"""

from collections.abc import Mapping
from typing import Any

from core.providers.token_counts import told, told_output
from schemas.usage import Usage

PROMPT = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
WRITTEN = ("output_tokens", "thinking_tokens")
SHORT, LONG = "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"


class Figures:
    """The figures told so far. A later one stands for an earlier one, but zero never hides a figure.

    GLM's host begins with zeros and tells the truth at the end; others tell the prompt once, and zeros later.
    """

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def begin(self, usage: Any) -> None:
        """Note what the start of a stream tells: of the output it knows nothing yet, whatever it says."""
        self._note(usage, (*PROMPT, SHORT, LONG))

    def add(self, usage: Any) -> None:
        """Note what the end of a stream, or a whole answer, tells."""
        self._note(usage, (*PROMPT, SHORT, LONG, *WRITTEN))

    def prompt(self) -> Usage | None:
        """What is known of the prompt; None while that is nothing, as no prompt has zero tokens."""
        told = self._told
        if not any(told.get(name) for name in PROMPT):
            return None
        short, long = told.get(SHORT), told.get(LONG)
        written = told.get("cache_creation_input_tokens")
        if written is not None:
            short = written - (long or 0)
        return Usage(told.get("input_tokens"), told.get("cache_read_input_tokens"), short, long)

    def usage(self, *, produced: bool) -> Usage | None:
        """All that was told; None when that is nothing. An answer that `produced` something has not zero tokens."""
        prompt = self.prompt() or Usage()
        output = self._told.get("output_tokens")
        if output == 0 and produced:
            output = None
        if output is None and prompt == Usage():
            return None
        reasoning = None if output is None else self._told.get("thinking_tokens")
        return Usage(prompt.uncached, prompt.read, prompt.write_short, prompt.write_long, output, reasoning)

    def _note(self, usage: Any, names: tuple[str, ...]) -> None:
        if not isinstance(usage, dict):
            return
        flat = {**usage, **_inner(usage, "cache_creation"), **_inner(usage, "output_tokens_details")}
        for name in names:
            count = told_output(flat.get(name)) if name in WRITTEN else told(flat.get(name))
            if count is not None and (count or name not in self._told):
                self._told[name] = count


def _inner(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = usage.get(name)
    return value if isinstance(value, dict) else {}
