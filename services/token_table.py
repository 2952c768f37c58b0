"""Providers' credentials as text for a terminal."""

from collections.abc import Sequence
from datetime import datetime

from schemas.credential import TokenInfo
from services.columns import columns

HEADINGS = ("id", "name", "provider", "status", "until", "requests", "failed", "USD", "why")


def token_table(tokens: Sequence[TokenInfo], now: datetime) -> str:
    """One line a credential, in the order of the configuration."""
    if not tokens:
        return "There are no tokens and no keys: set GLM_API_KEY, or write a provider into gateway.yaml.\n"
    return "\n".join(columns([HEADINGS, *(_row(token, now) for token in tokens)])) + "\n"


def _row(token: TokenInfo, now: datetime) -> tuple[str, ...]:
    stats = token.stats
    rests = token.cooldown_until is not None and token.cooldown_until > now
    until = token.cooldown_until if rests else token.next_check
    models = sorted(model for model, until in token.cooling_models.items() if until > now)
    why = [token.reason or "", f"not for {', '.join(models)}" if models else ""]
    return (
        token.id,
        token.name or "",
        token.provider,
        "resting" if rests and token.status != "blacklisted" else token.status,
        f"{until:%Y-%m-%d %H:%M:%SZ}" if until is not None else "",
        str(stats.total_requests),
        str(stats.failed_requests),
        "" if stats.total_cost is None else f"{stats.total_cost:.6g}",
        "; ".join(filter(None, why)),
    )
