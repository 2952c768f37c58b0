"""Hold: what one request has reserved, until it is settled or given back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.errors import BudgetExceeded, RateLimited, Unpriced
from core.pricing import nano
from core.store.base import Reading
from schemas.limit import Allowance
from schemas.model import Target
from schemas.usage import Usage
from services.bounds import Bound


@dataclass(frozen=True, slots=True)
class Need:
    """About what a request will use: tokens of its prompt, and of its answer as far as rates and as budgets go.

    `extras` are what of it has a price of its own. `sent` tells of a target how long an answer it will be asked for;
    None where that is `paid_output`. `also` are models that its provider may go on to by itself,
    `answers` how many are made at once, each of them paid.
    """

    prompt: int
    output: int
    paid_output: int
    extras: frozenset[str] = frozenset()
    sent: Callable[[Target], int | None] = lambda _: None
    also: tuple[str, ...] = ()
    answers: int = 1

    @property
    def tokens(self) -> int:
        """What is reserved of rates."""
        return self.prompt + self.output * self.answers


@dataclass(frozen=True, slots=True)
class Part:
    """What was taken of one bound, what is left of it, and when it was taken (seconds since the epoch)."""

    bound: Bound
    cost: int
    reading: Reading
    at: float


@dataclass(frozen=True, slots=True)
class Reserved:
    """What was taken together, and whether by this worker `alone`."""

    parts: tuple[Part, ...] = ()
    alone: bool = False


class Till(Protocol):
    """What a hold needs of the service that made it."""

    def reserve_target(self, need: Need, target: Target) -> Reserved: ...

    def correct(
        self, reserved: Reserved, tokens: int | None, cost: int | None, requests: int | None = None
    ) -> None: ...

    def is_billed(self, provider: str) -> bool: ...


class Hold:
    """Settled or refunded exactly once, a second time does nothing; then closed.

    `allowance` is what is left of the caller's tokens.
    """

    def __init__(
        self,
        till: Till,
        need: Need,
        reserved: Reserved = Reserved(),
        allowance: Allowance | None = None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        """`release` gives back what is held while the answer runs."""
        self.allowance = allowance
        self._till = till
        self._need = need
        self._reserved = reserved
        self._target: Target | None = None
        self._of_target = Reserved()
        self._settled = False
        self._release = release

    def admit(self, target: Target) -> None:
        """Reserve what is bounded for the target, in place of the one before. Raises RateLimited or BudgetExceeded."""
        if self._target == target:
            return
        self.leave()
        self._of_target = self._till.reserve_target(self._need, target)
        self._target = target

    def admit_any(self, targets: Sequence[Target]) -> None:
        """Reserve for the first of `targets` that a budget has room for, and give all back when none has.

        Raises BudgetExceeded. What else stands against a target is for whoever tries it.
        """
        try:
            self._admit_any(targets)
        except BaseException:
            self.refund()
            self.close()
            raise

    def leave(self) -> None:
        """The target has failed: nothing was used of it."""
        if self._of_target.parts:
            self._till.correct(self._of_target, 0, 0)
        self._target, self._of_target = None, Reserved()

    def pass_over(self) -> None:
        """The target was not asked: not even a request counts for it."""
        if self._of_target.parts:
            self._till.correct(self._of_target, 0, 0, requests=0)
        self._target, self._of_target = None, Reserved()

    def settle(self, provider: str, usage: Usage | None, cost: float | None) -> None:
        """Put what was used in the place of what was reserved. What is not known stays as it was reserved."""
        if self._settled:
            return
        self._settled = True
        if usage is not None:
            paid = None if cost is None else nano(cost)
            self._correct(usage.total, paid if self._till.is_billed(provider) else 0)

    def keep(self, provider: str, cost: float | None) -> None:
        """Nobody will tell what was used: tokens stay as they were reserved, and so does money if `cost` is unknown."""
        if not self._settled:
            self._settled = True
            paid = None if cost is None else nano(cost)
            self._correct(None, paid if self._till.is_billed(provider) else 0)

    def refund(self) -> None:
        """Nothing was used."""
        if not self._settled:
            self._settled = True
            self._correct(0, 0)

    def close(self) -> None:
        """The answer is over."""
        self._release()

    def _admit_any(self, targets: Sequence[Target]) -> None:
        refused: BudgetExceeded | None = None
        for target in targets:
            try:
                self.admit(target)
            except BudgetExceeded as refusal:
                refused = refused or refusal
            except (RateLimited, Unpriced):
                return
            else:
                return
        if refused is not None:
            raise refused

    def _correct(self, tokens: int | None, cost: int | None) -> None:
        for reserved in (self._reserved, self._of_target):
            if reserved.parts:
                self._till.correct(reserved, tokens, cost)


class _NoTill:
    """For requests of which nothing is bounded."""

    def reserve_target(self, need: Need, target: Target) -> Reserved:
        return Reserved()

    def correct(
        self, reserved: Reserved, tokens: int | None, cost: int | None, requests: int | None = None
    ) -> None: ...

    def is_billed(self, provider: str) -> bool:
        return True


def nothing_held() -> Hold:
    """A hold of a request of which nothing is bounded."""
    return Hold(_NoTill(), Need(0, 0, 0))
