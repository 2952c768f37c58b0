"""Rules that lead nowhere are mistakes, told by file, line and field."""

from pathlib import Path

import pytest

from assembly.configured import Configured
from config.loader import ConfigurationError

EXAMPLES = Path(__file__).parents[3] / "config" / "examples"
NOWHERE = """\
llmproxy:
  providers:
    grok: {enabled: false}
    box: {kind: openai-compatible, base_url: http://127.0.0.1:1/v1, models: [llama]}
    closed: {kind: glm, enabled: false}
  model_map: {"mapped-*": glm-4.6}
  routes:
    - name: some
      match: {tools: true}
      targets:
        - model: glm-4.6
        - {model: nobody-has-it}
        - {model: grok-unheard-of}
    - name: others
      fallbacks: [llama, glm-chna/glm-4.6, closed/glm-4.6]
      context_fallback: lama
"""
SOMEWHERE = """\
routes:
  - name: all
    targets: [{model: glm-4.6}, {model: claude-of-tomorrow}, {model: box/anything}, {model: Llama}, {model: mapped-x}]
    context_fallback: glm/of-tomorrow
providers:
  box: {kind: openai-compatible, base_url: http://127.0.0.1:1/v1, models: [llama]}
model_map: {"mapped-*": glm-4.6}
"""


def problems(directory: Path, text: str, **environment: str) -> list[str]:
    (directory / "gateway.yaml").write_text(text)
    try:
        Configured(environment, directory)
    except ConfigurationError as error:
        return list(error.problems)
    return []


def test_what_nobody_has_is_told_by_its_place(tmp_path: Path) -> None:
    said = ": no provider that is enabled has the model "
    found = [one.split(said) for one in problems(tmp_path, NOWHERE)]
    assert found == [
        ["gateway.yaml, line 12: llmproxy.routes[0].targets[1].model (routes[0].targets[1].model)", "'nobody-has-it'"],
        [
            "gateway.yaml, line 13: llmproxy.routes[0].targets[2].model (routes[0].targets[2].model)",
            "'grok-unheard-of'",
        ],
        ["gateway.yaml, line 15: llmproxy.routes[1].fallbacks[1] (routes[1].fallbacks[1])", "'glm-chna/glm-4.6'"],
        ["gateway.yaml, line 15: llmproxy.routes[1].fallbacks[2] (routes[1].fallbacks[2])", "'closed/glm-4.6'"],
        ["gateway.yaml, line 16: llmproxy.routes[1].context_fallback (routes[1].context_fallback)", "'lama'"],
    ]


def test_what_somebody_may_have_is_none_of_them(tmp_path: Path) -> None:
    assert problems(tmp_path, SOMEWHERE) == []


def test_a_variable_has_no_line(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "", GATEWAY__ROUTES='[{"name": "all", "targets": [{"model": "nobodys"}]}]')
    assert found.startswith("GATEWAY__ROUTES")
    assert "routes[0].targets[0].model" in found


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_the_examples_lead_somewhere(tmp_path: Path, file: Path) -> None:
    found = problems(tmp_path, file.read_text())
    assert not [one for one in found if "has the model" in one]
