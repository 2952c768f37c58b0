"""What was spent with a key in the last minute, here and on other workers."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import merge
from math import ceil
from typing import Literal, get_args

FlowKind = Literal["requests", "input_tokens", "output_tokens"]
KINDS: tuple[FlowKind, ...] = get_args(FlowKind)
MINUTE = 60.0
BUCKET = 5.0
"""Seconds that are told to other workers as one: a key's minute is a dozen rows, whatever its traffic."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What counts toward a minute's limits until `until`, in seconds since the epoch."""

    until: float
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Entry:
    """What one request has spent so far; it may be corrected for as long as it counts."""

    __slots__ = ("input_tokens", "output_tokens", "requests", "until")

    def __init__(self, until: float, requests: int, input_tokens: int, output_tokens: int) -> None:
        self.until = until
        self.requests = requests
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens


class Flow:
    """A window that slides: each expense counts for a minute. Exact for this worker, a second late for the others."""

    def __init__(self) -> None:
        self._own: deque[Entry] = deque()
        self._sums = dict.fromkeys(KINDS, 0)
        self._elsewhere: tuple[Spent, ...] = ()

    def add(self, now: float, requests: int = 0, input_tokens: int = 0, output_tokens: int = 0) -> Entry:
        """Count an expense made `now`."""
        self._trim(now)
        entry = Entry(now + MINUTE, requests, input_tokens, output_tokens)
        self._own.append(entry)
        for kind in KINDS:
            self._sums[kind] += getattr(entry, kind)
        return entry

    def correct(self, entry: Entry, input_tokens: int, now: float) -> None:
        """Count so many tokens of the prompt instead; of no effect once the entry is older than a minute."""
        self._trim(now)
        if entry.until > now:
            self._sums["input_tokens"] += input_tokens - entry.input_tokens
            entry.input_tokens = input_tokens

    def withdraw(self, entry: Entry, now: float) -> None:
        """It was never spent."""
        self._trim(now)
        for kind in KINDS:
            if entry.until > now:
                self._sums[kind] -= getattr(entry, kind)
            setattr(entry, kind, 0)

    def used(self, kind: FlowKind, now: float) -> int:
        """What was spent in the last minute on all workers."""
        self._trim(now)
        elsewhere: int = sum(getattr(spent, kind) for spent in self._elsewhere if spent.until > now)
        return self._sums[kind] + elsewhere

    def opens_at(self, kind: FlowKind, limit: int, need: int, now: float) -> float:
        """When `need` more fits under `limit`: `now` or later. A need above the limit is taken for the whole limit."""
        missing = self.used(kind, now) + min(need, limit) - limit
        if missing <= 0:
            return now
        elsewhere: list[Entry | Spent] = sorted(self._elsewhere, key=_until)
        # This worker's own may be thousands, in their order, of which the first few tell.
        for spent in merge(self._own, elsewhere, key=_until):
            if spent.until > now:
                missing -= getattr(spent, kind)
                if missing <= 0:
                    return spent.until
        return now + MINUTE

    def told(self, now: float) -> tuple[Spent, ...]:
        """What this worker has spent, for the others."""
        self._trim(now)
        buckets: dict[int, list[Entry]] = {}
        for entry in self._own:
            buckets.setdefault(ceil(entry.until / BUCKET), []).append(entry)
        return tuple(_sum(entries) for entries in buckets.values())

    def accept(self, elsewhere: Iterable[Spent]) -> None:
        """Take over what the other workers have spent."""
        self._elsewhere = tuple(elsewhere)

    def _trim(self, now: float) -> None:
        while self._own and self._own[0].until <= now:
            entry = self._own.popleft()
            for kind in KINDS:
                self._sums[kind] -= getattr(entry, kind)


def _until(spent: Entry | Spent) -> float:
    return spent.until


def _sum(entries: list[Entry]) -> Spent:
    return Spent(entries[-1].until, *(sum(getattr(entry, kind) for entry in entries) for kind in KINDS))
