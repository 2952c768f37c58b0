"""What is told of a failure when nothing answered."""

from collections.abc import Sequence
from datetime import UTC, datetime

from core.errors import GatewayError
from schemas.outcome import Attempt


def last_word(
    error: GatewayError, attempts: Sequence[Attempt], now: float, soonest: float | None, *, unaffordable: bool = False
) -> GatewayError:
    """The error with what was tried, and with when something could be asked, in `soonest` seconds, where that helps.

    `unaffordable`: the retry budget of all requests is why no other try was made.
    """
    if soonest is not None:
        error.retry_after = soonest
        moment = datetime.fromtimestamp(now + soonest, UTC).isoformat(timespec="seconds")
        error.details = {**(error.details or {}), "until": moment}
    tried = [{"provider": a.provider, "model": a.model, "error": a.error} for a in attempts]
    if tried:
        spent = {"retry_budget": "spent"} if unaffordable else {}
        error.details = {**(error.details or {}), "tried": tried, **spent}
    return error
