"""Lets a process be asked from outside how many greenlets it has: on PYTHONPATH, and only for measurements."""

import gc
import os
import signal
from pathlib import Path


def _tell(*_: object) -> None:
    from greenlet import greenlet

    gc.collect()
    count = sum(isinstance(one, greenlet) and not one.dead for one in gc.get_objects())
    place = Path(os.environ["VITALS_DIR"]) / str(os.getpid())
    place.with_suffix(".new").write_text(str(count))
    place.with_suffix(".new").replace(place)


signal.signal(signal.SIGRTMIN, _tell)
