"""What an answer cost, in headers."""

from schemas.money import spelled
from schemas.outcome import Outcome


def cost_headers(outcome: Outcome) -> dict[str, str]:
    """`X-Gateway-Cost-USD` when the cost is known, and `X-Gateway-Cost-Note` when it is not simply the bill.

    `estimated`: the provider did not report all tokens. `notional`: nobody pays for this answer by itself.
    """
    if outcome.cost is None:
        return {}
    notes = ["notional"] if outcome.notional else []
    if outcome.usage is not None and outcome.usage.source == "estimated":
        notes.append("estimated")
    headers = {"X-Gateway-Cost-USD": spelled(outcome.cost)}
    return headers | ({"X-Gateway-Cost-Note": ", ".join(notes)} if notes else {})
