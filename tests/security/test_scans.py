"""What scanners say of the code, of what it is built on, and of what is kept in the repository."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from string import ascii_letters, digits, hexdigits
from typing import Any

import pytest

from tests.gateway import ROOT
from tests.security.secret_scan import Found, scan

OURS = ("app.py", "api", "assembly", "client", "config", "core", "demo", "middleware", "schemas", "scripts", "services")
REASONED = re.compile(r"# noqa: (?:[A-Z0-9]+, ?)*S(\d+)(?:, ?[A-Z0-9]+)*\s+-\s+\S")
"""A word to the linter, which knows bandit's rules by the same numbers, that one of them is not broken, and why."""
IMPORTS_A_SHELL: Mapping[str, str] = {
    "assembly/serving.py": "starts the simulator, a module of ours, with no word of anybody else's",
    "scripts/bootstrap.py": "starts pip with a lock file of ours",
}
NOT_SCANNED = re.compile(r"requirements.*\.txt|scripts/pip-.*\.whl|.*package-lock\.json")
"""Lists of hashes, and pip itself."""
NO_SECRETS: Mapping[str, str] = {
    "29d229ad789e4873b55d49701918f154": "the id of a request, in an example",
    "9978c72c0bf94d63bf8f83bcf5b72c95": "the id of a request, in an example",
    "0af7651916cd43dd8448eb211c80319c": "the id of a trace, from the specification of traceparent",
    "sk-ant-own-key-of-the-caller-93": "words, in a test of a caller's own key",
    "sk-ant-api03-verysecret": "words, in a test of what is masked",
    "sk-ant-api03-AAAA_bbbb-cccc": "letters in a row, in a test of what is masked",
    "eyJhbGciOiJFUzI1NiJ9.eyJpZCI6IndlYi10b2tlbi0zMyJ9.c2lnbmF0dXJlLTU1": "says web-token-33 and signature-55",
    "eyJhbGciOiJIUzI1NiJ9.eyJhcGkiOiJ4In0.c2lnbmF0dXJl": "says api x and signature",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJl": "says sub u1 and signature",
    "AKIAIOSFODNN7EXAMPLE": "the example in the documentation of AWS",
    "-----BEGIN RSA PRIVATE KEY-----": "a line without a key after it, in a test of what is masked",
    "://user:p%40ss%2F@one": "letters, in a test of files that hold secrets",
    "://someone:p%40ss%2F@redis": "letters, in a test of files that hold secrets",
    "pypi-AgEIcHlwaS5vcmcCJDUzZmQ": "the beginning that all such tokens have, in a test of what is masked",
    "://user:hunter@db.example": "words, in a test of what is masked",
    "://user:hunter2@127.0.0.1": "words, in a test of what is masked",
}
"""What looks like a secret and is none, with the reason."""
KEYS_OF_TESTS: Mapping[str, str] = {
    "tests/unit/core/loopback.pem": "a key and its certificate for 127.0.0.1, which nobody else trusts"
}


# The code


def test_bandit_finds_nothing_without_a_reason() -> None:
    command = [sys.executable, "-m", "bandit", "-q", "-r", "-f", "json", *OURS]
    run = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=300, check=False)
    report = json.loads(run.stdout)
    assert report["errors"] == []
    assert report["metrics"]["_totals"]["loc"] > 10_000, "it has looked at the code"
    open_ones = [
        f"{one['filename']}:{one['line_number']}: {one['test_id']} {one['issue_text']}"
        for one in report["results"]
        if not _is_reasoned(one)
    ]
    assert not open_ones


def _is_reasoned(finding: Mapping[str, Any]) -> bool:
    file, number = finding["filename"].removeprefix("./"), finding["test_id"].removeprefix("B")
    if number == "404":
        return file in IMPORTS_A_SHELL
    lines = (ROOT / file).read_text().splitlines()
    stated = "\n".join(lines[line - 1] for line in finding["line_range"])
    return any(number in match.group() for match in REASONED.finditer(stated))


# What it is built on


AUDIT = (sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--timeout", "5", "--format", "json")
KNOWN_TO_BE_WEAK = "requests==2.19.0\n"


def audited(lock: Path, *options: str, seconds: float) -> list[dict[str, Any]] | None:
    """What is known of each package; None when it could not be looked up."""
    command = [*AUDIT, "--progress-spinner", "off", *options, "-r", str(lock)]
    try:
        run = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=seconds, check=False)
        packages: list[dict[str, Any]] = json.loads(run.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return None if any("skip_reason" in one for one in packages) else packages


@pytest.fixture(scope="module")
def advisories(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Known weaknesses can be looked up: tried with one package, so that nothing is asked a hundred times in vain."""
    one = tmp_path_factory.mktemp("audit") / "one.txt"
    one.write_text(KNOWN_TO_BE_WEAK)
    packages = audited(one, seconds=30)
    if packages is None:
        pytest.skip("the lock files were not audited: the list of known weaknesses cannot be reached")
    assert packages[0]["vulns"], "the audit would find one"


@pytest.mark.parametrize("lock", ["requirements-otel.txt", "requirements-clients.txt"])
def test_no_locked_package_has_a_known_weakness(advisories: None, lock: str) -> None:
    packages = audited(ROOT / lock, "--require-hashes", seconds=120)
    if packages is None:
        pytest.skip(f"{lock} was not audited: the list of known weaknesses could not be read to its end")
    weak = {f"{one['name']} {one['version']}": [v["id"] for v in one["vulns"]] for one in packages if one["vulns"]}
    assert not weak, "make upgrade"


# What is kept


def tracked() -> list[str]:
    """Every file of the repository that is text of ours."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of the repository")
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=60, check=True).stdout
    return [name for name in listed.split("\0") if name and not NOT_SCANNED.fullmatch(name)]


def looked_at() -> Iterator[tuple[str, Found]]:
    for name in tracked():
        path = ROOT / name
        if path.is_file() and name not in KEYS_OF_TESTS:
            yield from ((name, found) for found in scan(path.read_text(encoding="utf-8", errors="replace")))


def test_no_secret_is_kept_in_the_repository() -> None:
    found = list(looked_at())
    unknown = [f"{name}:{one.line}: {one.kind}" for name, one in found if one.text not in NO_SECRETS]
    assert not unknown, "take it out and exchange it; what is no secret goes into NO_SECRETS, with the reason"
    here = {one.text for _, one in found}
    assert here == set(NO_SECRETS), "an entry without its text would let a later secret through"


def test_no_file_of_secrets_is_kept_in_the_repository() -> None:
    names = [
        name
        for name in tracked()
        if re.search(r"(^|/)(\.env|token\.json|gateway\.yaml|id_\w+|.*\.(key|p12|pfx))$", name)
    ]
    assert not names
    assert {name for name in tracked() if name.endswith(".pem")} == set(KEYS_OF_TESTS)


def planted() -> Mapping[str, str]:
    """Secrets of each kind, made here so that none stands in this file."""
    rng = Random(7)

    def drawn(length: int, letters: str = ascii_letters + digits) -> str:
        return "".join(rng.choices(letters, k=length))

    hexes = hexdigits[:16]
    return {
        "private key": "-----BEGIN EC " + "PRIVATE KEY-----\\n" + drawn(40),
        "OpenAI": "sk-proj-" + drawn(40),
        "Anthropic": "sk-ant-api03-" + drawn(40),
        "Groq": "gsk_" + drawn(40),
        "xAI": "xai-" + drawn(40),
        "Google": "AIza" + drawn(35),
        "GLM": f"{drawn(32, hexes)}.{drawn(16)}",
        "gateway": "gw-" + drawn(43),
        "AWS": "AKIA" + drawn(16, ascii_letters[26:]),
        "GitHub": "ghp_" + drawn(36),
        "Slack": "xoxb-" + drawn(24),
        "JWT": f"eyJ{drawn(20)}.eyJ{drawn(30)}.{drawn(40)}",
        "redis": f"redis://default:{drawn(12)}@db.internal",
        "hex": drawn(40, hexes),
        "base64": drawn(40),
    }


@pytest.mark.parametrize("kind", planted())
@pytest.mark.parametrize(
    "line", ["KEY={}", 'key = "{}"  # note', "  - api_key: {}", "curl -H 'x-api-key: {}' http://h"]
)
def test_the_scan_would_find_one(kind: str, line: str) -> None:
    secret = planted()[kind]
    assert any(secret in found.text or found.text in secret for found in scan(f"first\n{line.format(secret)}\n"))


@pytest.mark.parametrize(
    "line",
    [
        "from core.providers.anthropic_messages_continuation import StreamingForwarded",
        "def test_a_redirect_that_leads_inside_is_not_followed_even_when_it_is_the_third(site):",
        "https://github.com/some/where/blob/main/src/Component/VeryLongFileNameOfAComponent.tsx",
        "GATEWAY__PROVIDERS__GLM__KEY_LIMITS__REQUESTS_PER_MINUTE=60",
        "redis://:${REDIS_PASSWORD}@redis:6379/0",
        "X" * 64,
    ],
)
def test_the_scan_leaves_plain_text_alone(line: str) -> None:
    assert not list(scan(line))
