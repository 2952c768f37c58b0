"""A log file keeps every line, whoever rotates it."""

import os
import subprocess
import sys
from pathlib import Path

from config.log_file import LogFile

ROOT = Path(__file__).resolve().parents[3]
WRITE_MANY = """
import sys
from pathlib import Path
from config.line_writer import LineWriter
from config.log_file import LogFile

path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
lines = LineWriter(LogFile(path, max_bytes=2048, backup_count=1000).write, limit=200)
for number in range(count):
    lines.write(f"{name}:{number}:{'x' * (number % 50)}:end".encode())
"""


def read(path: Path) -> str:
    return path.read_text()


def rotated(path: Path) -> list[Path]:
    return [file for file in path.parent.iterdir() if file.name.startswith(path.name) and file.suffix != ".lock"]


def test_it_appends_and_makes_its_folder(tmp_path):
    path = tmp_path / "a" / "b" / "log"
    LogFile(path, 100, 1).write(b"one\n")
    LogFile(path, 100, 1).write(b"two\n")
    assert read(path) == "one\ntwo\n"


def test_it_rotates_before_it_outgrows_its_size(tmp_path):
    path = tmp_path / "log"
    log = LogFile(path, 10, 2)
    for line in (b"11111\n", b"2222\n", b"333333333\n", b"4\n"):
        log.write(line)
    assert read(path) == "4\n"
    assert read(tmp_path / "log.1") == "333333333\n"
    assert read(tmp_path / "log.2") == "2222\n"
    assert not (tmp_path / "log.3").exists()


def test_exactly_full_is_not_too_full(tmp_path):
    log = LogFile(tmp_path / "log", 4, 1)
    log.write(b"12")
    log.write(b"34")
    assert read(tmp_path / "log") == "1234"


def test_without_backups_it_starts_again_empty(tmp_path):
    log = LogFile(tmp_path / "log", 4, 0)
    log.write(b"123\n")
    log.write(b"456\n")
    assert [read(file) for file in rotated(tmp_path / "log")] == ["456\n"]


def test_a_write_larger_than_the_size_is_kept_whole(tmp_path):
    log = LogFile(tmp_path / "log", 4, 2)
    log.write(b"12345678")
    log.write(b"9")
    assert (read(tmp_path / "log"), read(tmp_path / "log.1")) == ("9", "12345678")


def test_a_file_that_was_moved_or_deleted_is_opened_anew(tmp_path):
    path = tmp_path / "log"
    log = LogFile(path, 100, 1)
    log.write(b"1")
    path.rename(tmp_path / "moved")
    log.write(b"2")
    assert (read(path), read(tmp_path / "moved")) == ("2", "1")
    path.unlink()
    log.write(b"3")
    assert read(path) == "3"


def test_a_closed_file_opens_again(tmp_path):
    log = LogFile(tmp_path / "log", 100, 1)
    log.write(b"1")
    log.close()
    log.write(b"2")
    assert read(tmp_path / "log") == "12"


def test_a_forked_child_locks_out_its_parent(tmp_path):
    path = tmp_path / "log"
    log = LogFile(path, 100, 1)
    log.write(b"parent\n")
    child = os.fork()
    if not child:
        log.write(b"child\n")
        separate = os.fstat(log._lock).st_ino == (tmp_path / "log.lock").stat().st_ino and log._pid == os.getpid()
        os._exit(0 if separate else 1)
    assert os.waitpid(child, 0)[1] == 0
    log.write(b"parent\n")
    assert read(path) == "parent\nchild\nparent\n"


def test_lines_of_four_processes_are_neither_lost_nor_torn_while_the_file_rotates(tmp_path):
    path, count = tmp_path / "log", 500
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE_MANY, str(path), f"p{number}", str(count)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    files = rotated(path)
    lines = [line for file in files for line in read(file).splitlines()]
    expected = [f"p{name}:{number}:{'x' * (number % 50)}:end" for name in range(4) for number in range(count)]
    assert sorted(lines) == sorted(expected)
    assert len(files) > 10
    assert all(file.stat().st_size <= 2048 for file in files)
