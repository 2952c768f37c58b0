"""What was used and spent, summed up."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

UsageColumn = Literal["key", "model", "provider", "session", "hour", "day"]
PICO = 10**12


@dataclass(frozen=True, slots=True)
class Spend:
    """Sums over answers; money in billionths of a thousandth of a dollar, which whole numbers hold exactly.

    `notional` is what answers would have cost that nobody pays for one by one; it is no part of `cost`. `unpriced` are
    answers whose cost is unknown, `estimated` those whose tokens were not all reported.
    """

    requests: int = 0
    failures: int = 0
    uncached: int = 0
    read: int = 0
    write_short: int = 0
    write_long: int = 0
    output: int = 0
    reasoning: int = 0
    cost: int = 0
    notional: int = 0
    unpriced: int = 0
    estimated: int = 0

    def __add__(self, other: "Spend") -> "Spend":
        return Spend(*(getattr(self, name) + getattr(other, name) for name in NAMES))

    def record(self) -> dict[str, int]:
        """What is not zero, for the store."""
        return {name: value for name in NAMES if (value := getattr(self, name))}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Spend":
        """The sums that a record of the store holds."""
        return cls(**{name: int(record[name]) for name in NAMES if name in record})


NAMES = tuple(one.name for one in fields(Spend))


@dataclass(frozen=True, slots=True)
class SpendRow:
    """The sums of one group: its columns by name, in the order asked for."""

    group: Mapping[str, str]
    spend: Spend
