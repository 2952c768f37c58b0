"""An explanation as text for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.columns import columns

HEADINGS = ("", "provider", "model", "why", "circuit", "credentials")


def table(explanation: Mapping[str, Any]) -> str:
    """The targets in their order as a table, and below it what else was looked at."""
    head = f"{explanation['model']}: about {explanation['prompt_tokens']} tokens, {_route(explanation)}"
    landed, refused = explanation["landed_on"], explanation["refused"]
    lines = [head] + ([f"A budget is nearly spent: answered by {landed}"] if landed else [])
    lines += [f"Refused with {refused['status']} {refused['code']}: {refused['message']}"] if refused else []
    lines += ["", *columns([HEADINGS, *map(_row, explanation["targets"])])] if explanation["targets"] else []
    lines += [f"   if the prompt is too long: {one['provider']} {one['model']}" for one in explanation["if_too_long"]]
    losers = [f"  {_place(one)}: {one['reason']}" for one in explanation["lost"]]
    rules = [f"  {one['rule']}: {one['reason']}" for one in explanation["rules"] if not one["matches"]]
    lines += _section("Not tried", losers) + _section("Rules that do not match", rules)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _route(explanation: Mapping[str, Any]) -> str:
    strict = ", strict" if explanation["strict"] else ""
    return f"route {explanation['rule']}{strict}" if explanation["rule"] else "no route matches"


def _row(target: Mapping[str, Any]) -> tuple[str, ...]:
    keys = target["credentials"]
    count = "the caller's own" if keys is None else f"{keys['usable']} of {keys['total']}"
    worse = target["circuit"] if target["circuit"] != "closed" else target["provider_circuit"]
    return (f"{target['order']}.", target["provider"], target["model"], target["why"], worse, count)


def _place(loser: Mapping[str, Any]) -> str:
    return f"{loser['provider']} {loser['model']}" if loser["provider"] else str(loser["model"])


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"{title}:", *lines] if lines else []
