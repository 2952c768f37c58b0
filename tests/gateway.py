"""The real gateway as a process of its own, for tests that talk to it over HTTP."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0
KEEP = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


class Gateway:
    """`python app.py serve` in a directory of its own; leaving the context ends it.

    `environment` is all that it is configured by; PORT, HOST and DATA_DIR are chosen here unless given. With a
    `session` its connections are kept, for tests that ask often.
    """

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory
        self.port = int(environment.pop("PORT", 0)) or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {name: os.environ[name] for name in KEEP if name in os.environ}
        self.environment = {**inherited, "HOST": "127.0.0.1", "PORT": str(self.port), **environment}
        self.session: requests.Session | None = None
        self.lines: list[str] = []
        self._news = threading.Condition()
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Gateway":
        self.start()
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        if failure is not None:
            print("\n".join(self.lines[-60:]))
        self.stop()

    def start(self) -> None:
        """Start and wait until it answers."""
        command = [sys.executable, str(ROOT / "app.py"), "serve"]
        self.process = subprocess.Popen(
            command,
            cwd=self.directory,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        assert eventually(self._answers), self.output

    def stop(self) -> int:
        """Ask it to end, and wait for that."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGQUIT)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    def kill(self) -> None:
        """kill -9 of the master and of every worker."""
        assert self.process is not None
        for pid in [self.process.pid, *self.workers()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if not is_simulator(int(pid))]

    @property
    def output(self) -> str:
        """Everything it has printed."""
        with self._news:
            return "\n".join(self.lines)

    def wait_line(self, wanted: Callable[[str], bool], timeout: float = PATIENCE) -> bool:
        """True once a line was printed that is wanted."""
        with self._news:
            return self._news.wait_for(lambda: any(map(wanted, self.lines)), timeout)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's events of that name so far."""
        with self._news:
            parsed = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [event for event in parsed if event.get("event") == name]

    def wait_event(self, name: str, **fields: Any) -> dict[str, Any]:
        """The first event of that name with these fields, once it is there."""

        def found() -> dict[str, Any] | None:
            for line in self.lines:
                if line.startswith("{"):
                    event = json.loads(line)
                    if event.get("event") == name and all(event.get(key) == value for key, value in fields.items()):
                        return event
            return None

        with self._news:
            event = self._news.wait_for(found, PATIENCE)
        assert event, f"no {name} {fields} in:\n{self.output}"
        return event

    def post(self, path: str, body: Any, **options: Any) -> requests.Response:
        """POST JSON."""
        return (self.session or requests).post(self.url + path, json=body, timeout=PATIENCE, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET."""
        return (self.session or requests).get(self.url + path, timeout=PATIENCE, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        """DELETE."""
        return (self.session or requests).delete(self.url + path, timeout=PATIENCE, **options)

    def chat(self, text: str = "Hi", version: str = "v1", headers: dict[str, str] | None = None, **fields: Any) -> Any:
        """One chat request with a single user message."""
        body = {"messages": [{"role": "user", "content": text}], **fields}
        return self.post(f"/{version}/chat/completions", body, headers=headers, stream=bool(fields.get("stream")))

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.output
        try:
            return requests.get(f"{self.url}/v1/health/live", timeout=PATIENCE).ok
        except requests.ConnectionError:
            return False

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()


def is_simulator(pid: int) -> bool:
    """True for the process of the simulated provider, and for one that is gone."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return True
    return not command or "demo" in command.split("\0")


def chunks_of(response: requests.Response) -> list[dict[str, Any]]:
    """The parsed data events of a stream, `[DONE]` left out; fails when one is not well-formed."""
    return [json.loads(data) for data in data_of(response) if data != "[DONE]"]


def data_of(response: requests.Response) -> Iterator[str]:
    """The data of each event; anything but data lines, comments and blank lines fails."""
    for line in response.iter_lines(chunk_size=1):
        text = line.decode()
        assert not text or text.startswith(("data: ", ":")), text
        if text.startswith("data: "):
            yield text[6:]


def text_of(chunks: list[dict[str, Any]], field: str = "content") -> str:
    """What the deltas say together."""
    return "".join(choice["delta"].get(field) or "" for chunk in chunks for choice in chunk.get("choices", []))


def eventually(question: Callable[[], bool], patience: float = PATIENCE) -> bool:
    """True as soon as `question` is; for what a gateway does a moment after it has answered."""
    deadline, pause = time.monotonic() + patience, threading.Event()
    while not question():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.02)
    return True
