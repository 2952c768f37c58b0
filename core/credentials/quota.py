"""What one key may still do: under the limits it was given, and under those its provider has told."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import ceil

from core.credentials.flow import KINDS, Entry, Flow, FlowKind, Spent
from core.credentials.lessons import Lesson, Lessons, lessons_of, merged
from schemas.limit import KeyLimits, LimitFacts, LimitKind, LimitReading
from schemas.usage import Usage

ALL_MODELS = ""
_ADAPTATION = 0.3
"""How much of what was expected of prompts gives way to each new answer."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of one limit; `resets_at` and `model` are None where the limit was configured."""

    kind: LimitKind
    remaining: int
    limit: int | None
    resets_at: float | None = None
    model: str | None = None
    learned: bool = False

    @property
    def used(self) -> float:
        """The share that is used up, 0 to 1."""
        return min(1.0, max(0.0, 1 - self.remaining / self.limit)) if self.limit else float(self.remaining <= 0)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What was taken from what was told: by a request for `model` with so many tokens, at that time."""

    model: str
    tokens: int
    at: float


@dataclass(frozen=True, slots=True)
class Reserved:
    """What a request was expected to spend; `tokens` is the estimate of its prompt. Nothing without the rest."""

    tokens: int = 0
    entry: Entry | None = None
    foreseen: Foreseen | None = None


class Quota:
    """Knows what was spent and what was told; never waits and never touches the store.

    Where tokens that come from a cache do not count, an estimate is scaled by what of earlier ones was counted.
    """

    def __init__(self, limits: KeyLimits, facts: LimitFacts) -> None:
        self.limit(limits)
        self._facts = facts
        self._flow = Flow()
        self._counted_share = 1.0
        self.lessons: Lessons = {}

    def limit(self, limits: KeyLimits) -> None:
        """These hold from now on."""
        self._closed_until = 0.0
        given: tuple[tuple[FlowKind, int | None], ...] = tuple((kind, getattr(limits, kind)) for kind in KINDS)
        self._limits = tuple((kind, most) for kind, most in given if most is not None)

    def close(self, until: float) -> None:
        """All workers together have used up its requests until then."""
        self._closed_until = until

    def is_closed(self, now: float) -> bool:
        """True while they have."""
        return self._closed_until > now

    @property
    def known(self) -> bool:
        """True when there is any limit to keep."""
        return bool(self._limits or self.lessons)

    def opens_at(self, model: str, tokens: int, now: float) -> float:
        """When a request of so many prompt tokens has room: `now` or later."""
        opens = max(now, self._closed_until)
        for kind, limit in self._limits:
            opens = max(opens, self._flow.opens_at(kind, limit, self._need(kind, tokens), now))
        for name in self._names(model) if self.lessons else ():
            for told, lesson in self.lessons.get(name, {}).items():
                opens = max(opens, lesson.opens_at(self._need(told, tokens), now))
        return opens

    def reserve(self, model: str, tokens: int, now: float) -> Reserved:
        """Count a request that begins, with what its prompt is expected to cost."""
        expected = ceil(tokens * self._counted_share)
        entry = self._flow.add(now, requests=1, input_tokens=expected) if self._limits else None
        return Reserved(tokens, entry, self.foresee(model, tokens, now))

    def foresee(self, model: str, tokens: int, now: float) -> Foreseen:
        """Take what such a request is expected to cost from what was told, as the provider will."""
        foreseen = Foreseen(model, ceil(tokens * self._counted_share), now)
        self._revise(foreseen, lambda lesson, amount: lesson.less(amount, now))
        return foreseen

    def forget(self, foreseen: Foreseen, now: float) -> None:
        """It never came to that; what was told since knows so."""
        self._revise(foreseen, lambda lesson, amount: lesson.more(amount, now) if lesson.at <= foreseen.at else lesson)

    def withdraw(self, reserved: Reserved, now: float) -> None:
        """Nothing was sent, so it counts for nothing."""
        if reserved.entry is not None:
            self._flow.withdraw(reserved.entry, now)
        if reserved.foreseen is not None:
            self.forget(reserved.foreseen, now)

    def settle(self, reserved: Reserved, usage: Usage | None, now: float) -> None:
        """Put what was billed in the place of what was expected; without a usage the expectation stands."""
        if usage is None:
            return
        if usage.prompt:
            self._settle_prompt(reserved, usage.prompt - (0 if self._facts.cached_reads else usage.read or 0), now)
        if usage.output and self._limits:
            self._flow.add(now, output_tokens=usage.output)

    def cancel(self, reserved: Reserved, now: float) -> None:
        """The request failed: it counts as one, but its prompt costs nothing."""
        if reserved.entry is not None:
            self._flow.correct(reserved.entry, 0, now)

    def learn(self, readings: Iterable[LimitReading], model: str, now: float) -> bool:
        """Take over what the provider says of the limits; False when it says nothing."""
        name = model if self._facts.per_model else ALL_MODELS
        news = lessons_of(readings, name, now, refills=self._facts.refills)
        if news:
            self.lessons = merged(self.lessons, news, now)
        return bool(news)

    def told(self, now: float) -> tuple[Spent, ...]:
        """What this worker has spent, for the others; nothing where nothing is limited."""
        return self._flow.told(now) if self._limits else ()

    def accept(self, elsewhere: Iterable[Spent], lessons: Lessons, now: float) -> None:
        """Take over what other workers have spent and learned."""
        self._flow.accept(elsewhere)
        self.lessons = merged(lessons, self.lessons, now)

    def left(self, now: float, model: str | None = None) -> Iterator[Left]:
        """What is left of each limit, of `model` and of all models alike; None for every model."""
        for kind, limit in self._limits:
            yield Left(kind, max(0, limit - self._flow.used(kind, now)), limit)
        for name in self.lessons if model is None else self._names(model):
            for told, lesson in self.lessons.get(name, {}).items():
                if lesson.resets_at > now:
                    yield Left(told, lesson.left(now), lesson.limit, lesson.resets_at, name or None, learned=True)

    def used(self, model: str, now: float) -> float:
        """The share of the tightest limit that is used up, 0 to 1; 0 when none is known."""
        return max((left.used for left in self.left(now, model)), default=0.0)

    def _settle_prompt(self, reserved: Reserved, counted: int, now: float) -> None:
        if not self._facts.cached_reads and reserved.tokens:
            share = min(1.0, counted / reserved.tokens)
            self._counted_share += _ADAPTATION * (share - self._counted_share)
        if reserved.entry is not None:
            self._flow.correct(reserved.entry, counted, now)

    def _revise(self, foreseen: Foreseen, change: Callable[[Lesson, int], Lesson]) -> None:
        """Change what was told of each limit that such a request counts for, by how much it does."""
        if not self.lessons:
            return
        tokens = foreseen.tokens
        spent: dict[LimitKind, int] = {"requests": 1, "input_tokens": tokens, "tokens": tokens}
        own = {
            name: {kind: change(lesson, spent.get(kind, 0)) for kind, lesson in self.lessons[name].items()}
            for name in self._names(foreseen.model)
            if name in self.lessons
        }
        self.lessons = {**self.lessons, **own}

    def _names(self, model: str) -> tuple[str, ...]:
        return (ALL_MODELS, model) if model else (ALL_MODELS,)

    def _need(self, kind: LimitKind, tokens: int) -> int:
        """At least 1, so that a limit that is used up lets nothing through."""
        if kind in ("requests", "output_tokens"):
            return 1
        return max(1, ceil(tokens * self._counted_share))
