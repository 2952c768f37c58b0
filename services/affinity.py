"""Affinity: keeps a conversation at the provider and the key where its prompt is cached."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace

from core.clock import Clock
from core.credentials.choosing import Homeward
from schemas.codec import dumps, loads
from services.recollection import Recollection

KEPT_SECONDS = 3600.0
"""No prompt cache lives longer without being used, the dearest kind aside."""
BELIEVED_SECONDS = 1.0
"""How long a worker goes by its own copy: another may have had to move the conversation. By then it also knows what the
other has learned of the key that was left, and would have to choose among those that are not warm."""
LONGEST_AWAY = 3600.0
"""After so many seconds at a key that others go before, one prompt without a cache costs less than to stay."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a conversation was answered last: the provider instance, its credential, its name for the model.

    That was `at`, its prompt is cached there for `life` seconds from then on, and it is there `since`. `left` is the
    credential of the same provider and model where it was before, `left_until` how long that has its prompt cached.
    Times are in seconds since the epoch.
    """

    provider: str
    credential: str
    model: str
    at: float = 0.0
    life: float = 0.0
    since: float = 0.0
    left: str = ""
    left_until: float = 0.0


def after(before: Binding | None, provider: str, credential: str, model: str, *, at: float, life: float) -> Binding:
    """Where the conversation is, now that it was answered there `at` that time."""
    if before is None or (before.provider, before.model) != (provider, model):
        return Binding(provider, credential, model, at, life, since=at)
    if before.credential == credential:
        # What is only read tells nothing of its life.
        return replace(before, at=at, life=max(life, before.life))
    return Binding(provider, credential, model, at, life, at, before.credential, before.at + before.life)


class Affinity:
    """Bound on success, dropped on failure, moved on fallback; a client that leaves changes nothing."""

    def __init__(self, recollection: Recollection, clock: Clock) -> None:
        self._recollection = recollection
        self._clock = clock

    def names(self, session: str) -> Mapping[str, float]:
        """What has to be found to know where a conversation belongs."""
        return {_name(session): BELIEVED_SECONDS}

    def of(self, session: str, found: Mapping[str, str]) -> Binding | None:
        """Where it belongs, from what was found; None for a conversation that is new or was forgotten."""
        try:
            return Binding(*loads(found.get(_name(session), "")))
        except (ValueError, TypeError):
            return None  # nothing, or what another version of the gateway kept

    def homeward(self, binding: Binding) -> Homeward:
        """What may be taken ahead of the key where it is, if that goes before it.

        The key it has left, as long as its prompt is cached there; any other, once it is not cached here any more, or
        it has been here for long.
        """
        now = self._clock.now()
        anyone = now >= binding.at + binding.life or now >= binding.since + LONGEST_AWAY
        return Homeward(binding.left if now < binding.left_until else None, anyone)

    def bind(self, session: str, binding: Binding) -> None:
        """It was answered there, and its prompt is cached there now."""
        self._recollection.keep({_name(session): dumps(astuple(binding)).decode()}, KEPT_SECONDS, BELIEVED_SECONDS)

    def drop(self, session: str) -> None:
        """It could not be answered there."""
        self._recollection.forget([_name(session)])


def _name(session: str) -> str:
    return f"affinity:{session}"
