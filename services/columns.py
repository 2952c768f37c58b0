"""Rows of text as columns for a terminal."""

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]], left: int | None = None) -> list[str]:
    """One line a row. The first `left` columns begin at the same place, all unless given; the others end there."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_cells(row, widths, len(widths) if left is None else left)).rstrip() for row in rows]


def _cells(row: Sequence[str], widths: Sequence[int], left: int) -> list[str]:
    return [
        cell.ljust(width) if place < left else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
