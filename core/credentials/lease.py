"""The right to use one credential for one request."""

from collections.abc import Callable
from dataclasses import dataclass

from core.errors import GatewayError
from schemas.credential import Credential
from schemas.usage import Usage


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The provider answered. `usage` and `cost` (USD) are None when not known."""

    usage: Usage | None
    seconds: float
    cost: float | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The request ended in `error`."""

    error: GatewayError
    seconds: float


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The request ended in a way that says nothing about the credential."""


@dataclass(frozen=True, slots=True)
class Declined:
    """Nothing was sent with the credential."""


@dataclass(frozen=True, slots=True)
class Used:
    """What an answer has used that broke off, however the lease was given back."""

    usage: Usage
    cost: float | None


@dataclass(frozen=True, slots=True)
class Begun:
    """The first words of an answer have come, however the request will end."""


Outcome = Begun | Succeeded | Failed | Abandoned | Declined | Used


class Lease:
    """Given back exactly once by one of its four verbs; what of them is called after that does nothing.

    `epoch` is the credential's epoch at the time it was taken, `started_at` that time in seconds since the epoch, and
    `model` the upstream model it is for, "" when that was not said. `overflows`: another one was preferred, and only
    serves as many requests as it may.
    """

    __slots__ = ("_end", "closed", "credential", "epoch", "model", "overflows", "started_at")

    def __init__(
        self,
        credential: Credential,
        epoch: int,
        started_at: float,
        end: Callable[["Lease", Outcome], None],
        model: str = "",
        *,
        overflows: bool = False,
    ) -> None:
        self.credential = credential
        self.epoch = epoch
        self.started_at = started_at
        self.model = model
        self.closed = False
        self.overflows = overflows
        self._end = end

    def succeed(self, usage: Usage | None, seconds: float, cost: float | None) -> None:
        """The request ended well after `seconds`. Takes a trip to the store only to give a slot back."""
        self._close(Succeeded(usage, seconds, cost))

    def fail(self, error: GatewayError, seconds: float) -> None:
        """The request failed after `seconds`; what that means is the policy's business.

        Takes a trip to the store for each credential that the error is held against.
        """
        self._close(Failed(error, seconds))

    def abandon(self) -> None:
        """Nobody wants the answer any more. Takes a trip to the store only to give a slot back."""
        self._close(Abandoned())

    def begun(self) -> None:
        """An answer has begun: a credential that was on trial is known to work."""
        if not self.closed:
            self._end(self, Begun())

    def decline(self) -> None:
        """Nothing was sent with it: it is as if it had never been taken.

        Takes a trip to the store only to give a slot or a permit back.
        """
        self._close(Declined())

    def count(self, usage: Usage, cost: float | None) -> None:
        """An answer that broke off has used so much, which is found out when the lease may be given back already."""
        self._end(self, Used(usage, cost))

    def _close(self, outcome: Outcome) -> None:
        if not self.closed:
            self.closed = True
            self._end(self, outcome)
