"""When a client was last shown anything, so that it never waits too long for a sign of life."""


class SignsOfLife:
    """One clock for one request: whoever writes to the client says so, whoever waits for a provider asks.

    Bytes of a provider are no sign: what becomes of them may show the client nothing for a long time.
    """

    __slots__ = ("_interval", "_shown", "_watched")

    def __init__(self, interval: float, now: float, *, watched: bool = True) -> None:
        """`watched` is False when the client sees nothing before the answer is whole."""
        self._interval = interval
        self._shown = now
        self._watched = watched

    def show(self, now: float) -> None:
        """The client has just been shown something."""
        self._shown = now

    def due(self, now: float) -> bool:
        """True when it is time; whoever is told so gives the sign."""
        if now - self._shown < self._interval:
            return False
        self._shown = now
        return True

    def due_amid_data(self, now: float) -> bool:
        """The same while bytes keep coming: then only a client that watches needs one."""
        return self._watched and self.due(now)
