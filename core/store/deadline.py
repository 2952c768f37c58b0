"""Deadline: until when somebody waits for redis, by the clock of redis."""

from time import monotonic


class Deadline:
    """What redis does after it is done for nobody.

    A redis that hangs for a while finds, when it goes on, all that it was asked until everybody gave it up. Money that
    it reserved then would be nobody's, and lost until its window ends. How far its clock is ahead of this process's is
    learned from what it answers: the least that was seen, as the way there takes time too.

    Who has waited for a connection as well waits a little longer than this counts, and asks once more.
    """

    def __init__(self, timeout: float) -> None:
        """`timeout` is the longest wait for an answer, in seconds."""
        self._patience = timeout
        self._ahead: float | None = None

    def begin(self) -> float:
        """The moment at which something is asked, for `learn`."""
        return monotonic()

    def of(self, began: float) -> float:
        """The deadline of what is asked at that moment; 0 for none while the clock of redis is not known."""
        return 0.0 if self._ahead is None else began + self._ahead + self._patience

    def learn(self, began: float, there: float) -> None:
        """Redis has answered what was asked at that moment, and says what time it had."""
        ahead = there - began
        self._ahead = ahead if self._ahead is None else min(self._ahead, ahead)

    def relearn(self, began: float, there: float) -> None:
        """The same of one that has another clock than it had, or took long to be reached."""
        self._ahead = there - began
