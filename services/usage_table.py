"""Sums of usage as JSON, as CSV, and as a table for a terminal."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from schemas.money import spelled
from schemas.spend import PICO, Spend, SpendRow
from services.columns import columns


def told(of: SpendRow | Spend) -> dict[str, Any]:
    """The group's columns, its counts, its tokens, and USD."""
    group, spend = (of.group, of.spend) if isinstance(of, SpendRow) else ({}, of)
    prompt = spend.uncached + spend.read + spend.write_short + spend.write_long
    return {
        **group,
        "requests": spend.requests,
        "failures": spend.failures,
        "input_tokens": prompt,
        "cached_tokens": spend.read,
        "cache_write_tokens": spend.write_short + spend.write_long,
        "output_tokens": spend.output,
        "reasoning_tokens": spend.reasoning,
        "cost_usd": _usd(spend.cost),
        "notional_usd": _usd(spend.notional),
        "unpriced_requests": spend.unpriced,
        "estimated_requests": spend.estimated,
    }


def as_csv(by: Sequence[str], rows: Sequence[SpendRow]) -> str:
    """One line a group below a line of names; text that a spreadsheet would take for a formula is marked as text."""
    out = io.StringIO()
    names = list(told(SpendRow(dict.fromkeys(by, ""), Spend())))
    writer = csv.writer(out)
    writer.writerow(names)
    for row in rows:
        values = told(row)
        writer.writerow([_cell(values[name]) for name in names])
    return out.getvalue()


def as_text(by: Sequence[str], rows: Sequence[SpendRow], total: Spend) -> str:
    """Columns for a terminal, numbers to the right, and the total below them."""
    heads = (*by, "requests", "failed", "input", "cached", "output", "USD")
    lines = [heads, *(_line(by, row.group.get, row.spend) for row in rows), _line(by, {by[0]: "total"}.get, total)]
    notes = []
    if total.notional:
        notes.append(f"Besides, ${spelled(_usd(total.notional))} that nobody pays by the answer (flat fees).")
    if total.unpriced:
        notes.append(f"{total.unpriced} answers have no known price and are not in the sum.")
    if total.estimated:
        notes.append(f"The tokens of {total.estimated} answers are estimated, at least in part.")
    return "\n".join([*columns(lines, len(by)), *(["", *notes] if notes else [])]) + "\n"


def _line(by: Sequence[str], group: Any, spend: Spend) -> tuple[str, ...]:
    values = told(spend)
    counts = (values[name] for name in ("requests", "failures", "input_tokens", "cached_tokens", "output_tokens"))
    return (*(group(column) or "" for column in by), *(f"{count:,}" for count in counts), spelled(values["cost_usd"]))


def _usd(pico: int) -> float:
    return float(Decimal(pico) / PICO)


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return spelled(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
