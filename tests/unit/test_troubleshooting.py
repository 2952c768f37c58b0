"""What the troubleshooting guide quotes is what the gateway says."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from api.usage_query import COLUMNS, KNOWN
from app import cli, create_app
from config.loader import load

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
GAP = "…"
QUOTES = [line.removeprefix("> ") for line in GUIDE.splitlines() if line.startswith("> ")]
SPANS = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL))
ANSWERS = ("error.", "details.", "usage.")
"""What the names of fields in answers begin with, which look like settings."""
SETTING = re.compile(r"[a-z_]+(\.[a-z_…]+)+")
SETTINGS = sorted({span for span in SPANS if SETTING.fullmatch(span) and not span.startswith(ANSWERS)})
NOT_OURS = {"text/event-stream", "proxy_buffering", "client_max_body_size", "proxy_read_timeout"}
CODES = {span for span in SPANS if re.fullmatch(r"[a-z]+(_[a-z]+)+", span)} - NOT_OURS


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every address there is."""
    directory = tmp_path_factory.mktemp("addresses")
    app = create_app(load({"DATA_DIR": str(directory)}, directory), start=False)
    return [rule.rule for rule in app.url_map.iter_rules()]


@cache
def said() -> tuple[str, ...]:
    """Every text that stands in the code, with a gap for each value that is filled in."""
    folders = ("api", "assembly", "config", "core", "middleware", "services", "schemas")
    files = [ROOT / "app.py", *(file for folder in folders for file in (ROOT / folder).rglob("*.py"))]
    return tuple(text for file in files for text in _texts(ast.parse(file.read_text(encoding="utf-8"))))


def _texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)


def _is_said(quote: str) -> bool:
    """True when the pieces of a quote stand in one text of the code, in their order, or each in a text that it is made
    of."""
    pieces = quote.split(GAP)
    longest = max(pieces, key=len)
    pattern = re.compile(".*?".join(map(re.escape, pieces)), re.DOTALL)
    if any(pattern.search(text) for text in said() if longest in text):
        return True
    return len(pieces) > 1 and all(any(piece.strip() in text for text in said()) for piece in pieces)


@pytest.mark.parametrize("quote", QUOTES)
def test_each_quote_is_what_the_gateway_says(quote: str) -> None:
    assert _is_said(quote)


def test_a_quote_that_nobody_says_would_be_found() -> None:
    assert len(QUOTES) > 20
    assert not _is_said("The API key is not known there.")


@pytest.mark.parametrize("code", sorted(CODES))
def test_each_code_and_setting_and_event_is_there(code: str) -> None:
    shown = (ROOT / "config" / "examples" / "full.yaml").read_text() + (ROOT / "docs" / "errors.md").read_text()
    named = re.search(rf"(?<![a-z_]){code}(?![a-z_])", shown)
    assert named or code in said() or any(f'"{code}"' in text or f"{code}=" in text for text in said())


@pytest.mark.parametrize("path", sorted(set(re.findall(r"/v1/[a-z/]+[a-z]", GUIDE))))
def test_each_address_is_there(path: str, rules: list[str]) -> None:
    assert any(rule == path or rule.startswith(f"{path}/<") for rule in rules)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"app\.py ([a-z]+)", GUIDE))))
def test_each_command_is_there(command: str) -> None:
    assert command in cli.commands


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_setting_is_there(setting: str) -> None:
    found: object = load({}, ROOT / "tests")
    for name in setting.replace(GAP, "glm").split("."):
        assert isinstance(found, dict) or hasattr(found, name), name
        found = found[name] if isinstance(found, dict) else getattr(found, name)


def test_each_argument_of_an_address_is_there() -> None:
    arguments = re.findall(r"/v1/usage\?([a-z_]+)=([a-z,]+)", GUIDE)
    assert arguments
    for name, columns in arguments:
        assert name in KNOWN
        assert set(columns.split(",")) <= set(COLUMNS)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([a-z./]+)(?:#([a-z-]+))?\)", GUIDE))))
def test_each_link_leads_somewhere(link: tuple[str, str]) -> None:
    file, heading = ROOT / "docs" / link[0], link[1]
    assert file.is_file()
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert not heading or heading in {re.sub(r"[^a-z -]", "", each.lower()).replace(" ", "-") for each in headings}
