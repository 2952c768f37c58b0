"""What the lock files promise to whoever installs from them."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    """The locked packages with their versions."""
    return dict(PIN.findall((ROOT / lock).read_text()))


def names(requirements: list[str]) -> set[str]:
    """The normalised names of requirements."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[\s\[;<>=]", text)[0]).lower() for text in requirements}


def test_development_and_the_clients_use_the_very_versions_that_run() -> None:
    assert pins("requirements.txt").items() <= pins("requirements-otel.txt").items()
    assert pins("requirements-otel.txt").items() <= pins("requirements-dev.txt").items()
    assert pins("requirements-dev.txt").items() <= pins("requirements-clients.txt").items()


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert names(project["dependencies"]) <= pins("requirements.txt").keys()
    assert names(project["optional-dependencies"]["dev"]) <= pins("requirements-dev.txt").keys()
    assert names(project["optional-dependencies"]["otel"]) <= pins("requirements-otel.txt").keys()
    assert names(project["optional-dependencies"]["clients"]) <= pins("requirements-clients.txt").keys()


def test_what_is_wanted_for_traces_is_there_where_they_are_tested() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras["otel"]) <= set(extras["dev"])


@pytest.mark.parametrize("lock", sorted(file.name for file in ROOT.glob("requirements*.txt")))
def test_every_pin_has_a_hash_and_no_place_it_came_from(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert len(re.findall(r"^[a-z0-9-]+==.*\\\n    --hash=sha256:", text, re.MULTILINE)) == len(PIN.findall(text)) > 0
    assert not re.search(r"https?:|file:|--index-url|--find-links", text)
