"""Prompt caches as providers keep them: which beginnings of a prompt are there, for whom, and until when."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

BYTES_PER_TOKEN = 4
Scope = tuple[str, ...]
"""Within what a cache is shared: the account first, then the model and whatever else keeps caches apart."""


@dataclass(frozen=True)
class Block:
    """A part of a prompt: what stands for it and all before it, the tokens up to its end, and the ttl of its mark.

    `mark` is "" for a mark that names no ttl, None without a mark.
    """

    digest: str
    tokens: int
    mark: str | None = None


@dataclass(frozen=True)
class Counted:
    """What became of a prompt's tokens: read, and written for each ttl.

    `kept` is what its answer leaves in the cache, and for how many seconds; `found` what was read, if anything was.
    """

    scope: Scope
    total: int
    read: int = 0
    written: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, float] = field(default_factory=dict)
    found: str | None = None

    @property
    def uncached(self) -> int:
        """The tokens that were neither read nor written."""
        return self.total - self.read - sum(self.written.values())

    @property
    def in_vain(self) -> "Counted":
        """The same prompt, of which nothing was read and nothing written."""
        return Counted(self.scope, self.total, written=dict.fromkeys(self.written, 0))


class PrefixCache:
    """What is kept for each scope. A life counts from the start of the request that wrote or read it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: dict[tuple[Scope, str], tuple[float, float]] = {}

    def has(self, scope: Scope, digest: str) -> bool:
        """True while it is kept."""
        return self._ends.get((scope, digest), (0.0, 0.0))[0] > self._clock()

    def take(self, counted: Counted, started: float) -> None:
        """Keep what a request that started then leaves, and for longer what it has read."""
        if counted.found is not None:
            end, life = self._ends.get((counted.scope, counted.found), (0.0, 0.0))
            self._ends[counted.scope, counted.found] = (max(end, started + life), life)
        for digest, life in counted.kept.items():
            end, _ = self._ends.get((counted.scope, digest), (0.0, 0.0))
            self._ends[counted.scope, digest] = (max(end, started + life), life)

    def evict(self, account: str | None = None) -> None:
        """Forget what is kept for this account, without one all of it."""
        self._ends = {name: end for name, end in self._ends.items() if account not in (None, name[0][0])}


def blocks_of(parts: Iterable[tuple[str, str | None]]) -> list[Block]:
    """The blocks of a prompt from the text and the mark of each."""
    blocks, digest, tokens = [], sha256(), 0
    for text, mark in parts:
        digest.update(text.encode() + b"\0")
        tokens += len(text.encode()) // BYTES_PER_TOKEN + 1
        blocks.append(Block(digest.hexdigest(), tokens, mark))
    return blocks


def steps_of(text: str, step: int) -> tuple[list[Block], int]:
    """A prompt in blocks of `step` tokens, the last part of a step left out, and the tokens of all of it."""
    data, size = text.encode(), step * BYTES_PER_TOKEN
    digest, blocks = sha256(), []
    for at in range(0, len(data) - size + 1, size):
        digest.update(data[at : at + size])
        blocks.append(Block(digest.hexdigest(), (at + size) // BYTES_PER_TOKEN))
    return blocks, len(data) // BYTES_PER_TOKEN + 1


def at_marks(
    cache: PrefixCache,
    scope: Scope,
    blocks: Sequence[Block],
    minimum: int,
    look_back: int,
    lives: Mapping[str, float],
) -> Counted:
    """A prompt whose marked beginnings are kept: the longest is read that ends at a mark, or a few blocks ahead of it.

    What is shorter than `minimum` tokens is neither read nor written. `lives` are the seconds of each ttl.
    """
    marks = [place for place, block in enumerate(blocks) if block.mark is not None and block.tokens >= minimum][-4:]
    found = _found(cache, scope, blocks, marks, minimum, look_back)
    read = end = found.tokens if found is not None else 0
    written = dict.fromkeys(lives, 0)
    for mark in (blocks[place] for place in marks):
        if mark.tokens > end:
            ttl = mark.mark or next(iter(lives))
            written[ttl] += mark.tokens - end
            end = mark.tokens
    kept = {blocks[place].digest: lives[blocks[place].mark or next(iter(lives))] for place in marks}
    return Counted(scope, blocks[-1].tokens, read, written, kept, found.digest if found is not None else None)


def in_steps(
    cache: PrefixCache, scope: Scope, blocks: Sequence[Block], total: int, minimum: int, life: float
) -> Counted:
    """A prompt all of whose steps are kept, which costs nothing: of them the longest beginning is read."""
    found = next((block for block in reversed(blocks) if cache.has(scope, block.digest)), None)
    found = found if found is not None and found.tokens >= minimum else None
    kept = {block.digest: life for block in blocks if total >= minimum}
    return Counted(scope, total, found.tokens if found is not None else 0, {}, kept, found.digest if found else None)


def _found(
    cache: PrefixCache, scope: Scope, blocks: Sequence[Block], marks: Sequence[int], minimum: int, look_back: int
) -> Block | None:
    places = {place for mark in marks for place in range(max(0, mark - look_back + 1), mark + 1)}
    within = (blocks[place] for place in sorted(places, reverse=True))
    return next((block for block in within if block.tokens >= minimum and cache.has(scope, block.digest)), None)
