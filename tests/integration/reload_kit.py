"""A gateway that is configured by a file, which tests change while it runs."""

import os
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import requests
from ruamel.yaml import YAML

from tests.gateway import Gateway, eventually
from tests.upstreams.server import Upstream

BOSS = "key-of-the-boss"


@dataclass
class Changing:
    """The gateway, its file, and the provider behind every instance it has."""

    gateway: Gateway
    upstream: Upstream
    key: str = BOSS

    @property
    def file(self) -> Path:
        """What it is configured by."""
        return self.gateway.directory / "gateway.yaml"

    def configuration(self, *instances: str, key: str = BOSS, **more: Any) -> dict[str, Any]:
        """These instances, each with the model `m` and another that only it has, and one admin."""
        return {
            "access": {"keys": [{"name": "boss", "key": key, "role": "admin"}]},
            "default_model": "m",
            "model_map": {},
            "providers": {name: self.instance(name) for name in instances},
            **more,
        }

    def instance(self, name: str, **more: Any) -> dict[str, Any]:
        """One of them; a provider sees by its path which."""
        models = ["m", f"m-{name}"]
        address = f"{self.upstream.url}/{name}/v1"
        return {"kind": "openai-compatible", "base_url": address, "api_key": f"key-{name}", "models": models, **more}

    def write(self, configuration: dict[str, Any] | str) -> None:
        """Replace the file in one step, as good editors do."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(spelled(configuration))
        fresh.replace(self.file)

    def ask(self, key: str | None = None, **fields: Any) -> requests.Response:
        """One chat, over a connection of its own."""
        return self.gateway.chat(headers=self.headers(key), **fields)

    def shown(self, path: str = "/v1/config") -> Any:
        """What an admin is shown there."""
        return self.gateway.get(path, headers=self.headers()).json()

    def reload(self, key: str | None = None) -> requests.Response:
        """Ask for it."""
        return self.gateway.post("/v1/config/reload", None, headers=self.headers(key))

    def reloaded(self, configuration: dict[str, Any], key: str | None = None) -> Any:
        """Write the file, and have every worker go by it."""
        self.write(configuration)
        answer = self.reload()
        assert answer.status_code == 200, answer.text
        self.key = key or self.key
        told = answer.json()
        # A busy machine may take longer than the answer waits.
        assert told["complete"] or eventually(self.all_follow), told
        return told

    def all_follow(self) -> bool:
        """True when every worker goes by the newest."""
        workers = self.shown()["workers"]
        return len(workers) == len(self.gateway.workers()) and all(worker["newest"] for worker in workers)

    def headers(self, key: str | None = None) -> dict[str, str]:
        """Who asks."""
        return {"Authorization": f"Bearer {key or self.key}"}

    def processes(self) -> list[int]:
        """Threads, open files and sockets of each worker."""
        import psutil

        found = [psutil.Process(pid) for pid in sorted(self.gateway.workers())]
        return [process.num_threads() + process.num_fds() for process in found]


def spelled(configuration: dict[str, Any] | str) -> str:
    """As YAML."""
    if isinstance(configuration, str):
        return configuration
    text = StringIO()
    YAML(typ="safe", pure=True).dump(configuration, text)
    return text.getvalue()


def swapped(file: Path, configuration: dict[str, Any]) -> None:
    """Put the file behind a link that is exchanged, as a cluster does for what it mounts."""
    folder = file.parent / f"..{os.urandom(4).hex()}"
    folder.mkdir()
    (folder / file.name).write_text(spelled(configuration))
    link = file.with_suffix(".link")
    link.symlink_to(folder / file.name)
    link.replace(file)
