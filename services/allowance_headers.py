"""What is left of a caller's limits, in OpenAI's headers (https://platform.openai.com/docs/guides/rate-limits)."""

from typing import Literal

from schemas.limit import Allowance


def allowance_headers(unit: Literal["requests", "tokens"], left: Allowance | None) -> dict[str, str]:
    """`x-ratelimit-limit-…`, `-remaining-…` and `-reset-…`; nothing where nothing is limited."""
    if left is None:
        return {}
    return {
        f"x-ratelimit-limit-{unit}": str(left.limit),
        f"x-ratelimit-remaining-{unit}": str(left.remaining),
        f"x-ratelimit-reset-{unit}": go_duration(left.reset_after),
    }


def go_duration(seconds: float) -> str:
    """Seconds as OpenAI writes them: `17ms`, `8.64s`, `6m0s`, `1h0m0s`."""
    if round(seconds * 1000) < 1000:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.2f}".rstrip("0").rstrip(".") + "s"
    if not hours:
        return f"{minutes}m{text}" if minutes else text
    return f"{hours}h{minutes}m{text}"
