"""The commands for providers' tokens, beside a running gateway."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.gateway import ROOT, Gateway, eventually
from tests.integration.conftest import environment
from tests.upstreams.answers import glm_error
from tests.upstreams.server import Upstream


@pytest.fixture
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("tokens"), **environment(upstream)) as running:
        yield running


def command(gateway: Gateway, *arguments: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, str(ROOT / "app.py"), "tokens", *arguments]
    return subprocess.run(
        line, cwd=gateway.directory, env=gateway.environment, text=True, capture_output=True, check=False
    )


def test_a_token_without_money_is_listed_and_comes_back_when_an_operator_says_so(
    gateway: Gateway, upstream: Upstream
) -> None:
    upstream.script(glm_error("1113", 429))
    assert gateway.chat().status_code != 200
    assert gateway.chat().json()["error"]["code"] == "no_credentials", "it is out"
    headings, listed = command(gateway, "list").stdout.splitlines()
    token_id = listed.split()[0]
    assert headings.split()[:4] == ["id", "name", "provider", "status"]
    assert "blacklisted" in listed
    assert "id.secret" not in listed
    wrong = command(gateway, "reset", "nobody")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "There is no token with the id 'nobody'." in wrong.stderr
    assert command(gateway, "reset", token_id).stdout == f"{token_id} is available again.\n"
    assert eventually(lambda: gateway.chat().status_code == 200)
    assert "available" in command(gateway, "list").stdout


def test_where_there_is_none_the_list_says_what_to_do(tmp_path_factory: pytest.TempPathFactory) -> None:
    nobody = Gateway(tmp_path_factory.mktemp("none"))
    listed = command(nobody, "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "set GLM_API_KEY" in listed.stdout
