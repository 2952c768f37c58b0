"""Claude Code, the real one, whose model is moved to GLM in the middle of its work, and back."""

import json
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.real import kit
from tests.real.claude_code import ClaudeCode
from tests.real.kit import ADMIN, CLAUDE_VENDOR, GLM_VENDOR, THINKING, blocks_of
from tests.upstreams import strict
from tests.upstreams.anthropic_answers import SIGNATURE
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Step
from tests.upstreams.wire import Request

WRITTEN = {"input_tokens": 9, "cache_creation_input_tokens": 20_000, "cache_read_input_tokens": 0, "output_tokens": 12}
"""Of a prompt that is never read: from the second answer on it is a loss of a tenth of a dollar."""
STAND_IN = "glm-4.7"
BOSS = {"Authorization": f"Bearer {ADMIN}"}


def of_claude(request: Request) -> bool:
    return request.path.startswith("/v1/messages")


def refused(request: Request) -> Sequence[Step] | None:
    """What either of the two providers would not take."""
    return strict.refusal("anthropic" if of_claude(request) else "glm", request)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(refuses=refused) as provider:
        yield provider


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    kit.packages()
    failover = {"CACHE_FAILOVER_ENABLED": "true", "CACHE_FAILOVER_LOSS_THRESHOLD": "0.05"}
    with Gateway(tmp_path_factory.mktemp("moves"), **kit.settings(upstream), **failover) as running:
        yield running


def claude_works(upstream: Upstream, work: Path) -> None:
    """Claude has one file written after the other, and would never be done."""
    number = count(1)

    def play(request: Request) -> list[Step]:
        path = work / f"{next(number)}.txt"
        return CLAUDE_VENDOR.form.answer(request, "", THINKING, [written("claude", path)], usage=WRITTEN)

    upstream.behave(play, when=of_claude)


def written(by: str, path: Path) -> tuple[str, str, str]:
    """A call that writes a file."""
    return (f"toolu_{by}_{path.stem}", "Write", json.dumps({"file_path": str(path), "content": by}))


def models(upstream: Upstream) -> list[Any]:
    return [request.body["model"] for request in upstream.requests]


def test_its_work_goes_on_at_glm_when_claude_loses_the_cache_and_comes_back(
    tmp_path: Path, gateway: Gateway, upstream: Upstream
) -> None:
    with Upstream() as outside:
        claude = ClaudeCode(tmp_path, outside)
        claude_works(upstream, claude.work)
        for said in (("", "Now I.", [written("glm", claude.work / "last.txt")]), ("All written.", "Done.")):
            upstream.behave(lambda request, said=said: GLM_VENDOR.form.answer(request, *said), times=1, model=STAND_IN)
        printed = claude.ask(gateway.url, "Write files", "--model", CLAUDE_VENDOR.model)
        assert (printed.status, printed.output, printed.errors) == (0, "All written.", "")
        asked = models(upstream)
        turns = asked.count(CLAUDE_VENDOR.model)
        assert turns >= 2, "what was cold is no loss"
        assert asked == [CLAUDE_VENDOR.model] * turns + [STAND_IN] * 2
        (moved,) = gateway.events("failover_activated")
        assert (moved["model"], moved["reason"]) == (CLAUDE_VENDOR.model, "cache_loss")
        calls = [f"toolu_claude_{number}" for number in range(1, turns + 1)] + ["toolu_glm_last"]
        results = [message for message in upstream.requests[-1].body["messages"] if message["role"] == "tool"]
        assert [result["tool_call_id"] for result in results] == calls

        assert gateway.delete(f"/v1/failover/{CLAUDE_VENDOR.model}", headers=BOSS).ok
        CLAUDE_VENDOR.says(upstream, "You are welcome.")
        printed = claude.ask(gateway.url, "Thanks.", "--continue", "--model", CLAUDE_VENDOR.model)
        assert (printed.status, printed.output, printed.errors) == (0, "You are welcome.", "")
        assert models(upstream) == [*asked, CLAUDE_VENDOR.model]
        said_before = [one for one in upstream.requests[-1].body["messages"] if one["role"] == "assistant"]
        signed = [block["signature"] for turn in said_before for block in blocks_of(turn, "thinking")]
        assert signed == [SIGNATURE] * turns, "Claude's own thoughts are back, and GLM's are none of Claude's"
        assert [block["id"] for turn in said_before for block in blocks_of(turn, "tool_use")] == calls
