"""Where a worker stands, for itself and for the process that has forked it."""

from mmap import mmap

_SERVING, _RETIRING, _REPLACED = range(3)


class Standing:
    """Three marks in memory that both processes share, if it is made before the fork."""

    def __init__(self) -> None:
        self._marks = mmap(-1, 3)

    @property
    def serving(self) -> bool:
        """The worker takes requests."""
        return bool(self._marks[_SERVING])

    @serving.setter
    def serving(self, value: bool) -> None:
        self._marks[_SERVING] = value

    @property
    def retiring(self) -> bool:
        """The worker has served its number of requests."""
        return bool(self._marks[_RETIRING])

    @retiring.setter
    def retiring(self, value: bool) -> None:
        self._marks[_RETIRING] = value

    @property
    def replaced(self) -> bool:
        """As many others as wanted take requests."""
        return bool(self._marks[_REPLACED])

    @replaced.setter
    def replaced(self, value: bool) -> None:
        self._marks[_REPLACED] = value

    def close(self) -> None:
        """Let go of the memory; for the process that has forked the worker, when that has ended."""
        self._marks.close()
