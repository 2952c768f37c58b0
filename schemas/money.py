"""Amounts of money in words."""

from decimal import Decimal


def added(usd: float, more: float) -> float:
    """Their sum to the last digit, as 0.1 and 0.2 are 0.3."""
    return float(Decimal(repr(usd)) + Decimal(repr(more)))


def spelled(usd: float) -> str:
    """Plain digits, and none of them lost: 0.0000028."""
    text = format(Decimal(repr(usd)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
