"""Affinity: keeps a conversation at the provider and the key where its prompt is cached."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.recollection import Recollection

KEPT_SECONDS = 3600.0
"""No prompt cache lives longer without being used, the dearest kind aside."""
BELIEVED_SECONDS = 1.0
"""How long a worker goes by its own copy: another may have had to move the conversation. By then it also knows what the
other has learned of the key that was left, and would have to choose among those that are not warm."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a conversation was answered last: the provider instance, its credential, its name for the model."""

    provider: str
    credential: str
    model: str


class Affinity:
    """Bound on success, dropped on failure, moved on fallback; a client that leaves changes nothing."""

    def __init__(self, recollection: Recollection) -> None:
        self._recollection = recollection

    def names(self, session: str) -> Mapping[str, float]:
        """What has to be found to know where a conversation belongs."""
        return {_name(session): BELIEVED_SECONDS}

    def of(self, session: str, found: Mapping[str, str]) -> Binding | None:
        """Where it belongs, from what was found; None for a conversation that is new or was forgotten."""
        parts = found.get(_name(session), "").split("\0")
        return Binding(*parts) if len(parts) == 3 else None

    def bind(self, session: str, binding: Binding) -> None:
        """It was answered there, and its prompt is cached there now."""
        text = "\0".join((binding.provider, binding.credential, binding.model))
        self._recollection.keep({_name(session): text}, KEPT_SECONDS, BELIEVED_SECONDS)

    def drop(self, session: str) -> None:
        """It could not be answered there."""
        self._recollection.forget([_name(session)])


def _name(session: str) -> str:
    return f"affinity:{session}"
