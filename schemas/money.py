"""Amounts of money in words."""

from decimal import Decimal


def spelled(usd: float) -> str:
    """Plain digits, and none of them lost: 0.0000028."""
    text = format(Decimal(repr(usd)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
