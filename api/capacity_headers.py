"""The headers that say what is left of a provider's keys."""

from schemas.limit import Capacity


def capacity_headers(capacity: Capacity | None) -> dict[str, str]:
    """What is left of the keys of the provider that was asked last; nothing is said of what is not known."""
    if capacity is None:
        return {}
    left = {
        "Keys": capacity.keys_available,
        "Requests": capacity.remaining_requests,
        "Tokens": capacity.remaining_tokens,
    }
    return {f"X-Gateway-Capacity-{name}": str(count) for name, count in left.items() if count is not None}
