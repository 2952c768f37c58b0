"""A real llama.cpp as a process of its own, with a model that says fixed texts."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import requests

from tests.gateway import eventually
from tests.ports import free_port
from tests.real import tiny_model
from tests.real.kit import missing

SCRIPT = Path(__file__).parent / "serve_model.py"
PATIENCE = 20.0


class LlamaServer:
    """Serves `tiny_model` under any name, in OpenAI's and in Anthropic's form; leaving the context ends it."""

    def __init__(self, directory: Path) -> None:
        for package in ("gguf", "xllamacpp"):
            if find_spec(package) is None:
                missing(f"llama.cpp ({package})")
        self._directory = directory
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "LlamaServer":
        model = tiny_model.write(self._directory / "tiny.gguf")
        with self._log.open("wb") as log:
            command = [sys.executable, str(SCRIPT), str(model), str(self._port)]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        if not eventually(self._answers, PATIENCE):
            self.__exit__()
            raise AssertionError(self._log.read_text())
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE)

    def released(self) -> list[int]:
        """How many tokens each request had, prompt and answer, when the server was done with it or gave it up."""
        return [int(tokens) for tokens in re.findall(r"stop processing: n_tokens = (\d+)", self._log.read_text())]

    @property
    def _log(self) -> Path:
        return self._directory / "llama.log"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            return requests.get(f"{self.url}/health", timeout=PATIENCE).ok
        except requests.ConnectionError:
            return False
