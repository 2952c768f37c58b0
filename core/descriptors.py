"""Whether a failure comes of our own want of file descriptors, for which no provider is to blame."""

import errno
import os
from collections.abc import Iterator
from socket import gaierror

WANTING = (errno.EMFILE, errno.ENFILE)


def lacks_descriptors(failure: BaseException) -> bool:
    """True when this process, or its machine, had none left for what has failed."""
    causes = list(_causes(failure))
    if any(isinstance(one, OSError) and one.errno in WANTING for one in causes):
        return True
    # Who cannot read what names mean is told that there is no such name.
    return any(isinstance(one, gaierror) for one in causes) and _none_is_left()


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """What the failure comes of, however libraries have wrapped it."""
    seen: list[BaseException] = []
    left: list[object] = [failure]
    while left:
        one = left.pop()
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            left += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return iter(seen)


def _none_is_left() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in WANTING
    return False
