"""Notices that the process which started the simulator is gone."""

from collections.abc import Callable

import gevent
import psutil

_SECONDS_BETWEEN_LOOKS = 0.5


def when_gone(pid: int, then: Callable[[], object]) -> None:
    """Call `then` once no living process has the id `pid` any more, at most half a second late. A zombie is gone."""
    while _alive(pid):
        gevent.sleep(_SECONDS_BETWEEN_LOOKS)
    then()


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
