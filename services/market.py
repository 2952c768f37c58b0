"""Market: what is known of providers and of what they take."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from schemas.chat import ChatRequest
from schemas.model import Price, Target


@dataclass(frozen=True, slots=True)
class Market:
    """What reckoning asks of others.

    `is_billed` takes the name of a provider, and the id of a credential or None for any: False where nobody pays for
    answers one by one. `answer_limit` are the tokens of an answer that a target is asked for when the client did not
    say, None where that is the provider's to decide. `dearest` is a price that no model of a provider passes on a day.
    `named` is what a provider takes a model's name for.
    """

    is_billed: Callable[[str, str | None], bool]
    answer_limit: Callable[[ChatRequest, Target], int | None]
    dearest: Callable[[str, date], Price | None]
    named: Callable[[str, str], Target]
