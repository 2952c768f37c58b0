"""Limits that a provider has told, in the form that workers merge."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.limit import LimitKind, LimitReading

UNTOLD_SECONDS = 60.0
LONGEST = 86_400.0
"""A reset later than a day is not believed."""

MAX_MODELS = 64


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was left of `limit` (None: not told) `at` the time it was told; void from `resets_at` on."""

    remaining: int
    resets_at: float
    at: float
    limit: int | None = None

    def less(self, amount: int) -> "Lesson":
        """The same once `amount` more is spent."""
        return Lesson(max(0, self.remaining - amount), self.resets_at, self.at, self.limit)


Lessons = Mapping[str, Mapping[LimitKind, Lesson]]
"""By model, "" for limits that hold whatever the model, then by kind."""


def lessons_of(readings: Iterable[LimitReading], model: str, now: float) -> Lessons:
    """What `readings` teach; one that does not say what is left teaches nothing, one without a reset holds a minute.

    A limit of nothing is no limit that anybody has, and no more can be left than there is.
    """
    found = {
        reading.kind: Lesson(
            reading.remaining if reading.limit is None else min(reading.remaining, reading.limit),
            min(reading.resets_at or now + UNTOLD_SECONDS, now + LONGEST),
            now,
            reading.limit,
        )
        for reading in readings
        if reading.remaining is not None and reading.limit != 0
    }
    return {model: found} if found else {}


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
