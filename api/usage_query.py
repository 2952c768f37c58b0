"""What is asked of the usage report, in a query string."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from core.errors import InvalidRequest
from schemas.spend import UsageColumn
from services.usage_ledger import Period
from services.usage_period import period_of

COLUMNS: tuple[UsageColumn, ...] = get_args(UsageColumn)
FORMATS = ("json", "csv")
KNOWN = ("from", "to", "group_by", "key", "format")


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """The stretch of time, the columns to group by, the id of the only caller to look at, and the form."""

    period: Period
    group_by: tuple[UsageColumn, ...]
    key: str | None
    csv: bool


def query_of(arguments: Mapping[str, str], now: float) -> UsageQuery:
    """`from`, `to`, `group_by` (`model` by itself), `key` and `format`. Raises InvalidRequest, naming the argument."""
    unknown = next((name for name in arguments if name not in KNOWN), None)
    if unknown is not None:
        raise InvalidRequest(f"{unknown[:50]!r} is none of {', '.join(KNOWN)}.", param=unknown[:50])
    try:
        period = period_of(arguments.get("from"), arguments.get("to"), now)
    except ValueError as error:
        raise InvalidRequest(f"{error}.", param="from", code="invalid_value") from None
    form = arguments.get("format", "json")
    if form not in FORMATS:
        raise InvalidRequest("format is json or csv.", param="format", code="invalid_value")
    return UsageQuery(period, columns_of(arguments.get("group_by", "model")), arguments.get("key"), form == "csv")


def columns_of(text: str) -> tuple[UsageColumn, ...]:
    """The columns that a list with commas names, each once. Raises InvalidRequest."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    found = tuple(column for name in names for column in COLUMNS if column == name)
    if len(found) != len(names):
        raise InvalidRequest(f"group_by takes {', '.join(COLUMNS)}.", param="group_by", code="invalid_value")
    return found
