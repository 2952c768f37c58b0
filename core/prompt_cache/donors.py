"""What a request that succeeded has left in its provider's cache."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from core.prompt_cache.chain import Chain
from core.prompt_cache.prompt import Prompt
from core.prompt_cache.rules import Rules
from schemas.codec import dumps, loads
from schemas.usage import Usage

MOST_MARKS = 4
"""Of more, a provider heeds the last."""
SHORTEST_MEMORY = 3600.0
VERSION = 1


class Mark(NamedTuple):
    """Where a cached prefix ends: after how many segments and characters; and its life in seconds."""

    length: int
    characters: int
    life: float


@dataclass(frozen=True, slots=True)
class Donor:
    """One such request.

    Times are in seconds since the epoch, `begun` is when its answer began. `total`, `read`, `written_short` and
    `written_long` are tokens; `cached` is how many are kept up to the last of the `marks`, of which there is at least
    one. `is_exact` is False when the provider did not count them itself. `length` and `characters` are those of the
    whole prompt, `digest` stands for it and `client` for the client's own body. `is_marked` and `client_marked`: there
    were cache marks in what was sent, and in what the client had sent.
    """

    started: float
    begun: float
    family: str
    account: str
    model: str
    total: int
    read: int
    written_short: int
    written_long: int
    cached: int
    is_exact: bool
    length: int
    characters: int
    digest: str
    client: str
    is_marked: bool
    client_marked: bool
    marks: tuple[Mark, ...]
    parameters: Mapping[str, str]

    @property
    def lifetime(self) -> float:
        """For how many seconds to remember it: longer than it lives, so that an expired cache is told from none."""
        return max(SHORTEST_MEMORY, 2 * max(mark.life for mark in self.marks))

    def text(self) -> str:
        """A short text that `read_donor` reads."""
        return dumps([VERSION, *(getattr(self, field.name) for field in fields(self))]).decode()


def read_donor(text: str) -> Donor | None:
    """The donor that `Donor.text` wrote; None for what another version wrote, or anything else."""
    try:
        version, *values, marks, parameters = loads(text)
        if version != VERSION:
            return None
        return Donor(*[*values, tuple(Mark(*mark) for mark in marks), dict(parameters)])
    except (ValueError, TypeError):
        return None


def donor_of(prompt: Prompt, begun: float, usage: Usage | None, rules: Rules | None) -> Donor | None:
    """What this successful request has left in the cache; None when that is nothing, or is not known."""
    if usage is None or rules is None or usage.uncached is None or usage.prompt < rules.minimum:
        return None
    marks = _marks(prompt.chain, rules)
    cached = usage.prompt - usage.uncached if rules.marked_only else usage.prompt
    if not marks or not cached:
        return None
    return Donor(
        started=prompt.started,
        begun=begun,
        family=prompt.identity.family,
        account=prompt.identity.account,
        model=prompt.identity.upstream_model,
        total=usage.prompt,
        read=usage.read or 0,
        written_short=usage.write_short or 0,
        written_long=usage.write_long or 0,
        cached=cached,
        is_exact=usage.source == "reported",
        length=len(prompt.chain),
        characters=prompt.chain.characters(),
        digest=prompt.chain.digest,
        client=prompt.client.digest,
        is_marked=bool(prompt.chain.marks),
        client_marked=bool(prompt.client.marks),
        marks=marks,
        parameters=prompt.chain.parameters,
    )


def _marks(chain: Chain, rules: Rules) -> tuple[Mark, ...]:
    lengths = {length: chain.segments[length - 1].mark or "" for length in chain.marks} if rules.at_marks else {}
    if chain.segments and chain.automatic and not rules.marked_only:
        lengths.setdefault(len(chain), "")
    last = list(lengths.items())[-MOST_MARKS:]
    return tuple(Mark(length, chain.characters(length), rules.life_of(ttl)) for length, ttl in last)
