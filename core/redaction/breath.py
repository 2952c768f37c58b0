"""Lets others run now and then while something long is looked through."""

from gevent import sleep

AT_ONCE = 8192
"""Characters that are looked through in a millisecond or two."""
FOR_EACH = 32
"""As many characters take as long as a look at a text that has none."""


class Breath:
    """Counts what is done, in characters, and lets the others of this process run after so many of them."""

    __slots__ = ("_done",)

    def __init__(self) -> None:
        self._done = 0

    def take(self, characters: int = 0) -> None:
        """One text more is looked through, which is so long."""
        self._done += characters + FOR_EACH
        if self._done >= AT_ONCE:
            self._done = 0
            sleep(0)
