"""InFlight: how many requests go by one configuration."""


class InFlight:
    """Counts those that have begun and are not over."""

    def __init__(self) -> None:
        self.count = 0

    def enter(self) -> None:
        """One has begun."""
        self.count += 1

    def leave(self) -> None:
        """One is over."""
        self.count -= 1
