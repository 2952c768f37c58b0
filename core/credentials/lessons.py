"""Limits that a provider has told, in the form that workers merge."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import floor

from schemas.limit import LimitKind, LimitReading

UNTOLD_SECONDS = 60.0
SHORTEST = 60.0
"""No limit is for less than a minute: a bucket that seems to fill up faster was told with times that are rounded."""
LONGEST = 86_400.0
"""A reset later than a day is not believed."""

MAX_MODELS = 64


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was left of `limit` (None: not told) `at` the time it was told; void from `resets_at` on.

    Of a bucket `rate` comes back in every second, and it is full at `resets_at`; what is 0 comes back then as a whole.
    """

    remaining: float
    resets_at: float
    at: float
    limit: int | None = None
    rate: float = 0.0

    def left(self, now: float) -> int:
        """What is left now."""
        # What is a hair's breadth short of a whole one is one, or a wait that was told would be too short.
        return max(0, floor(self.remaining + self.rate * (now - self.at) + 1e-6))

    def opens_at(self, need: int, now: float) -> float:
        """When so much is left: `now` or later. A need above the limit is taken for the whole limit."""
        need = min(need, self.limit or need)
        if self.resets_at <= now or self.left(now) >= need:
            return now
        return min(self.resets_at, self.at + (need - self.remaining) / self.rate) if self.rate else self.resets_at

    def less(self, amount: int, now: float) -> "Lesson":
        """The same once `amount` more is spent; one that is void stays so."""
        if self.resets_at <= now:
            return self
        if not self.rate:
            return replace(self, remaining=max(0, self.remaining - amount))
        return replace(self, remaining=self.remaining - amount, resets_at=self.resets_at + amount / self.rate)

    def more(self, amount: int, now: float) -> "Lesson":
        """The same as if `amount` that was taken had not been."""
        if self.resets_at <= now:
            return self
        if not self.rate:
            left = self.remaining + amount
            return replace(self, remaining=left if self.limit is None else min(left, self.limit))
        return replace(self, remaining=self.remaining + amount, resets_at=self.resets_at - amount / self.rate)


Lessons = Mapping[str, Mapping[LimitKind, Lesson]]
"""By model, "" for limits that hold whatever the model, then by kind."""


def lessons_of(readings: Iterable[LimitReading], model: str, now: float, *, refills: bool = False) -> Lessons:
    """What `readings` teach; one that does not say what is left teaches nothing, one without a reset holds a minute.

    A limit of nothing is no limit that anybody has, and no more can be left than there is. With `refills` they tell of
    buckets, as far as they tell how large these are and when they are full.
    """
    found: dict[LimitKind, Lesson] = {}
    for reading in readings:
        if reading.remaining is None or reading.limit == 0:
            continue
        left = reading.remaining if reading.limit is None else min(reading.remaining, reading.limit)
        lesson = Lesson(left, min(reading.resets_at or now + UNTOLD_SECONDS, now + LONGEST), now, reading.limit)
        found[reading.kind] = _bucket(lesson) if refills and reading.resets_at else lesson
    return {model: found} if found else {}


def _bucket(told: Lesson) -> Lesson:
    missing, seconds = (told.limit or 0) - told.remaining, told.resets_at - told.at
    if told.limit is None or missing <= 0 or seconds <= 0:
        return told
    rate = min(missing / seconds, told.limit / SHORTEST)
    return replace(told, rate=rate, resets_at=told.at + missing / rate)


def merged(known: Lessons, news: Lessons, now: float) -> Lessons:
    """The newest lesson of each kind and model that is not over; of too many models those that hold longest."""
    result: dict[str, Mapping[LimitKind, Lesson]] = {}
    for model in {**known, **news}:
        kinds = _newest(known.get(model, {}), news.get(model, {}))
        alive = {kind: lesson for kind, lesson in kinds.items() if lesson.resets_at > now}
        if alive:
            result[model] = alive
    if len(result) > MAX_MODELS:
        lasting = sorted(result, key=lambda model: max(one.resets_at for one in result[model].values()))
        result = {model: result[model] for model in lasting[-MAX_MODELS:]}
    return result


def _newest(known: Mapping[LimitKind, Lesson], news: Mapping[LimitKind, Lesson]) -> dict[LimitKind, Lesson]:
    result = dict(known)
    for kind, lesson in news.items():
        if kind not in result or lesson.at >= result[kind].at:
            result[kind] = lesson
    return result
