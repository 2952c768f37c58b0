"""What the tests of the store's promises share."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

NOW = 1_795_000_000.125


def together(threads: int, work: Callable[[], Any]) -> list[Any]:
    """What `work` returns in each of so many threads that begin at once and switch as often as they can."""
    start, interval = threading.Barrier(threads), sys.getswitchinterval()

    def one(_: int) -> Any:
        start.wait()
        return work()

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, range(threads)))
    finally:
        sys.setswitchinterval(interval)
