"""Lines come out whole, in order, and soon."""

import errno
import subprocess
import sys
import threading
from pathlib import Path

from config.line_writer import LineWriter

ROOT = Path(__file__).resolve().parents[3]


class Timers:
    """Timers that fire when told."""

    def __init__(self):
        self.waiting = []

    def __call__(self, seconds, action):
        timer = Timer(seconds, action, self.waiting)
        self.waiting.append(timer)
        return timer

    def fire(self):
        for timer in list(self.waiting):
            timer.action()


class Timer:
    def __init__(self, seconds, action, waiting):
        self.seconds, self.action, self.waiting = seconds, action, waiting

    def cancel(self):
        self.waiting.remove(self)


def writer(**options):
    written, timers = [], Timers()
    return LineWriter(written.append, schedule=timers, **options), written, timers


def test_lines_wait_for_the_timer_and_come_out_together():
    lines, written, timers = writer()
    lines.write(b"a\n")
    lines.write(b"b")
    assert written == []
    assert [timer.seconds for timer in timers.waiting] == [0.2]
    timers.fire()
    assert written == [b"a\nb\n"]


def test_there_is_no_timer_while_nothing_waits():
    lines, _, timers = writer()
    assert timers.waiting == []
    lines.write(b"a")
    lines.flush()
    assert timers.waiting == []


def test_a_full_buffer_does_not_wait():
    lines, written, timers = writer(limit=10)
    lines.write(b"12345")
    lines.write(b"67890")
    assert written == [b"12345\n67890\n"]
    assert timers.waiting == []


def test_close_hands_on_what_waits_and_later_lines_at_once():
    lines, written, timers = writer()
    lines.write(b"a")
    lines.close()
    lines.write(b"b")
    assert written == [b"a\n", b"b\n"]
    assert timers.waiting == []


def test_lines_that_cannot_be_written_are_counted_and_harm_nobody():
    def full(data):
        raise OSError(errno.ENOSPC, "disk full")

    lines = LineWriter(full, schedule=Timers())
    lines.write(b"a")
    lines.write(b"b")
    lines.flush()
    assert lines.dropped == 2


def test_the_usual_timer_writes_by_itself():
    done = threading.Event()
    LineWriter(lambda data: done.set(), delay=0.001).write(b"a")
    assert done.wait(timeout=30)


def test_what_waits_is_written_when_the_process_exits():
    code = (
        "import os\nfrom config.line_writer import LineWriter\n"
        "LineWriter(lambda data: os.write(1, data), delay=99).write(b'last')"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60, check=True)
    assert run.stdout == b"last\n"


def test_lines_of_many_threads_are_neither_lost_nor_torn():
    lines, written, _ = writer(limit=100)
    threads = [
        threading.Thread(target=lambda n=n: [lines.write(b"%d-%d" % (n, i)) for i in range(200)]) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines.close()
    assert sorted(b"".join(written).split()) == sorted(b"%d-%d" % (n, i) for n in range(4) for i in range(200))
