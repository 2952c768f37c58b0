"""Keeps the law of who may import whom, with a breach of each rule that is found."""

from pathlib import Path

import pytest

from tests.import_law import breaches

ROOT = Path(__file__).resolve().parents[2]


def repository_sources() -> dict[str, str]:
    """Every Python file of ours but the tests, which may import everything."""
    sources = {}
    for path in sorted(ROOT.glob("*.py")) + sorted(ROOT.glob("[!.]*/**/*.py")):
        relative = path.relative_to(ROOT)
        foreign = relative.parts[0] == "tests" or (ROOT / relative.parts[0] / "pyvenv.cfg").exists()
        if not foreign:
            sources[relative.as_posix()] = path.read_text(encoding="utf-8")
    return sources


def test_the_repository_keeps_the_law() -> None:
    sources = repository_sources()
    assert "config/settings.py" in sources
    assert breaches(sources) == []


BREACHES = {
    "api on the core": {"api/chat.py": "from core.routing import Router"},
    "api on the core, by its package": {"api/chat.py": "from core import routing"},
    "api on config": {"api/chat.py": "import config.settings"},
    "middleware on api": {"middleware/auth.py": "from api.respond import answer"},
    "middleware on the core": {"middleware/auth.py": "from core.store.base import Store"},
    "middleware on the loader": {"middleware/auth.py": "from config.loader import load"},
    "services on api": {"services/chat.py": "from api import chat"},
    "services on the loader": {"services/chat.py": "from config import loader"},
    "core on services": {"core/routing.py": "from services.models import Models"},
    "core on the application": {"core/routing.py": "import app"},
    "schemas on the core": {"schemas/chat.py": "from core.errors import GatewayError"},
    "config on schemas": {"config/loader.py": "from schemas.chat import ChatRequest"},
    "the simulator on the core": {"demo/simulator.py": "import core.sse"},
    "the client on the core": {"client/errors.py": "from core.errors import GatewayError"},
    "the client on schemas": {"client/replies.py": "import schemas.usage"},
    "services on the client": {"services/chat.py": "from client import GatewayClient"},
    "the client on the environment": {"client/wire.py": "import os\nos.environ['HTTP_PROXY']"},
    "anyone on the simulator": {"app.py": "from demo import simulator"},
    "inside a function": {"core/routing.py": "def late():\n    from services import chat"},
    "relative": {"core/store/redis.py": "from ...services import chat"},
    "flask in the core": {"core/routing.py": "import flask"},
    "flask in services": {"services/chat.py": "from flask import request"},
    "redis outside its store": {"core/store/memory.py": "from redis.exceptions import RedisError"},
    "requests outside the transport": {"core/providers/glm.py": "import requests.adapters"},
    "a package without a row": {"helpers/text.py": ""},
    "the environment": {"config/logging.py": "import os\nos.environ['HOME']"},
    "the environment, by its function": {"services/chat.py": "import os\nos.getenv('HOME')"},
    "the environment, by its name": {"core/clock.py": "from os import environ"},
    "global": {"core/clock.py": "def tick():\n    global now"},
    "providers": {
        "core/providers/glm.py": "class GLM(Provider): ...",
        "core/providers/gemini.py": "from core.providers import glm\nclass Gemini(Provider): ...",
    },
    "a provider on one whose name begins with its own": {
        "core/providers/glm.py": "from core.providers.glm_web import GLMWeb\nclass GLM(Provider): ...",
        "core/providers/glm_web.py": "class GLMWeb(Provider): ...",
    },
    "a provider on another's helper": {
        "core/providers/glm.py": "class GLM(OpenAICompatible): ...",
        "core/providers/glm_errors.py": "",
        "core/providers/gemini.py": "from core.providers.glm_errors import CODES\nclass Gemini(Provider): ...",
    },
    "a base on a provider": {
        "core/providers/openai_compatible.py": "from core.providers import glm\nclass OpenAICompatible(Provider): ...",
        "core/providers/glm.py": "class GLM(OpenAICompatible): ...",
    },
    "stages": {
        "core/pipeline/thinking.py": "class Thinking(Stage): ...",
        "core/pipeline/format.py": "from core.pipeline.thinking import Thinking\nclass Format(Stage): ...",
    },
    "middlewares": {"middleware/auth.py": "import middleware.cors", "middleware/cors.py": ""},
    "blueprints": {
        "api/chat.py": "from flask import Blueprint",
        "api/models.py": "from api.chat import view\nfrom flask import Blueprint",
    },
    "dialects": {
        "api/dialects/openai_chat.py": "",
        "api/dialects/anthropic.py": "from api.dialects.openai_chat import OpenAIChat",
    },
}


@pytest.mark.parametrize("sources", BREACHES.values(), ids=BREACHES.keys())
def test_a_breach_is_found(sources: dict[str, str]) -> None:
    assert len(breaches(sources)) == 1


LAWFUL = {
    "api": {"api/chat.py": "from core import sse\nfrom core.errors import GatewayError\nfrom services import Services"},
    "middleware": {"middleware/auth.py": "import flask\nfrom config.settings import Settings"},
    "the application": {"app.py": "import flask\nimport api, core.store.redis, config.loader"},
    "the places": {"core/store/redis.py": "import redis", "core/transport.py": "import requests"},
    "the client": {"client/wire.py": "import requests\nfrom .errors import Unreachable"},
    "the reader": {"config/loader.py": "import os\nos.environ"},
    "an attribute of that name": {"middleware/auth.py": "def view(request):\n    return request.environ"},
    "a list of siblings": {
        "core/pipeline/__init__.py": "from core.pipeline.thinking import Thinking",
        "core/pipeline/thinking.py": "class Thinking(Stage): ...",
    },
    "a base": {
        "core/providers/openai_compatible.py": "class OpenAICompatible(Provider): ...",
        "core/providers/glm.py": "from core.providers.openai_compatible import X\nclass GLM(OpenAICompatible): ...",
    },
    "a helper of its own": {
        "core/providers/glm.py": "from core.providers.glm_errors import CODES\nclass GLM(Provider): ...",
        "core/providers/glm_errors.py": "from core.providers.glm_codes import TABLE",
        "core/providers/glm_codes.py": "",
    },
    "a helper of all": {
        "core/pipeline/thinking.py": "from core.pipeline.source import close\nclass Thinking(Stage): ...",
        "core/pipeline/source.py": "",
    },
}


@pytest.mark.parametrize("sources", LAWFUL.values(), ids=LAWFUL.keys())
def test_what_the_law_allows_is_no_breach(sources: dict[str, str]) -> None:
    assert breaches(sources) == []
