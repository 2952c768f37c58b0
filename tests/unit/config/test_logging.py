"""What an event looks like in the log, and what never gets there."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from config.access_log import access_writer
from config.line_writer import LineWriter
from config.logging import configure_logging, open_sink, write_to_stdout
from config.masking import MASK, mask_text
from config.settings import LoggingSettings
from schemas.codec import loads

ROOT = Path(__file__).resolve().parents[3]
GLM_KEY = "0123456789abcdef0123456789abcdef.AbCdEfGhIjKlMnOp"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJhcGkiOiJ4In0.c2lnbmF0dXJl"
SECRETS = [
    "sk-ant-REDACTED",
    "sk-proj_abcdefgh12345678",
    f"Bearer {GLM_KEY}",
    "bearer abcdef",
    "Basic dXNlcjpwYXNz",
    GLM_KEY,
    JWT,
    "gsk_abcdefghijklmnop",
    "AIzaSyA-1234567890abcdefg",
]


@pytest.fixture
def log(tmp_path):
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)

    def configure(**options) -> "Log":
        configure_logging(LoggingSettings(file=tmp_path / "log", **options))
        return Log(tmp_path / "log")

    yield configure
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


class Log:
    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def events(self) -> list[dict]:
        return [loads(line) for line in self.text.splitlines()]


def test_an_event_is_one_line_of_json_with_the_usual_keys_first(log):
    out = log()
    structlog.contextvars.bind_contextvars(request_id="r1")
    structlog.get_logger().info("request_done", status=200, text="a\nb")
    (event,) = out.events
    assert list(event) == ["timestamp", "level", "event", "request_id", "status", "text"]
    assert (event["level"], event["event"], event["request_id"], event["status"]) == ("info", "request_done", "r1", 200)
    assert event["timestamp"].endswith("Z")


def test_the_level_is_kept(log):
    out = log(level="WARNING")
    structlog.get_logger().info("no")
    structlog.get_logger().warning("yes")
    logging.getLogger("x").info("no")
    logging.getLogger("x").error("yes")
    assert [(event["event"], event["level"]) for event in out.events] == [("yes", "warning"), ("yes", "error")]


def test_the_standard_library_writes_through_the_same_renderer(log):
    logging.getLogger("gunicorn.error").addHandler(logging.StreamHandler())
    logging.getLogger("gunicorn.error").propagate = False
    out = log()
    logging.getLogger("gunicorn.error").info("Booting worker with pid: %s", 7)
    logging.getLogger("urllib3.connectionpool").info("chatter")
    (event,) = out.events
    assert (event["event"], event["logger"], event["level"]) == ("Booting worker with pid: 7", "gunicorn.error", "info")


def test_setting_up_twice_writes_once_and_to_the_new_place(log, tmp_path):
    out = log()
    configure_logging(LoggingSettings(file=tmp_path / "second"))
    logging.getLogger("x").warning("event")
    structlog.get_logger().warning("event")
    assert not out.path.exists()
    assert len((tmp_path / "second").read_text().splitlines()) == 2


def test_a_traceback_is_one_string_in_the_log_with_its_secrets_masked(log):
    out = log()
    try:
        raise ValueError(f"refused {GLM_KEY}")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("x").exception("failed")
    for event in out.events:
        assert "Traceback (most recent call last)" in event["exception"]
        assert f"ValueError: refused {MASK}" in event["exception"]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_that_looks_like_a_secret_is_written(log, form, secret):
    out = log(format=form)
    structlog.get_logger().info(
        f"with {secret}", where=f"a {secret} b", deep={"list": [secret], secret: 1}, raw=secret.encode()
    )
    logging.getLogger("x").warning("with %s", secret)
    bare = secret.split()[-1]
    assert bare not in out.text
    assert MASK in out.text


@pytest.mark.parametrize(
    "name",
    ["authorization", "Proxy-Authorization", "x-api-key", "api_key", "token", "access_token", "password", "secret"],
)
def test_what_stands_under_a_secret_s_name_is_not_written(log, name):
    out = log()
    structlog.get_logger().info("event", headers={name: "plain-words"}, **{name: "plain-words"})
    assert "plain-words" not in out.text
    assert out.events[0][name] == MASK


def test_what_only_sounds_like_a_secret_stays_readable(log):
    out = log()
    structlog.get_logger().info(
        "event", prompt_tokens=5, token_id="1a2b3c4d5e6f", tokens=[1], model="glm-4.5", rid="req-1"
    )
    event = out.events[0]
    assert (event["prompt_tokens"], event["token_id"], event["tokens"]) == (5, "1a2b3c4d5e6f", [1])
    assert (event["model"], event["rid"]) == ("glm-4.5", "req-1")


def test_a_password_in_a_url_is_masked_and_the_rest_is_not():
    assert mask_text("redis://u:pw@h:1/0 and https://h/p?a=1&api_key=x") == (
        f"redis://u:{MASK}@h:1/0 and https://h/p?a=1&api_key={MASK}"
    )


def test_any_value_can_be_logged(log):
    class Broken:
        def __str__(self):
            raise RuntimeError

    endless: list = []
    endless.append(endless)
    out = log()
    structlog.get_logger().info(
        "event", a=Broken(), b=float("nan"), c="\ud800", d={1, 2}, e=endless, f=Path("p"), g=10**30
    )
    (event,) = out.events
    assert (event["a"], event["b"], event["c"], event["f"]) == ("<Broken>", "nan", "\\ud800", "p")


def test_a_log_that_cannot_be_written_fails_nobody(log, tmp_path):
    (tmp_path / "file").write_text("")
    configure_logging(LoggingSettings(file=tmp_path / "file" / "log"))
    structlog.get_logger().error("event")
    logging.getLogger("x").error("event")


def test_console_lines_are_for_people_and_plain_in_a_file(log):
    out = log(format="console")
    structlog.get_logger().info("started", port=1)
    assert "started" in out.text
    assert "port=1" in out.text
    assert "\x1b" not in out.text


def test_what_callers_choose_writes_no_lines_of_its_own(log):
    out = log(format="console")
    structlog.get_logger().info("refused", path="/x\n2026 forged \x1b[2J \x9b31m \u202e", other="plain ü")
    line = {"timestamp": "t", "level": "info", "method": "GET", "endpoint": "/x", "status": 404, "ms": 1}
    written = []
    lines = LineWriter(written.append)
    access_writer(LoggingSettings(format="console"), lines)(
        {**line, "model": "m\n2026 forged\x1b[2J\u202e", "caller": "ü"}
    )
    lines.close()
    for text in (out.text, b"".join(written).decode()):
        assert text.count("\n") == 1
        assert text.removesuffix("\n").isprintable()
        assert "forged" in text
        assert "ü" in text
    try:
        raise ValueError("in two\nlines")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "\nlines" in out.text, "tracebacks stay readable"


def test_without_a_file_lines_go_to_standard_output_uncoloured_when_it_is_a_pipe():
    code = (
        "from config.logging import configure_logging; from config.settings import LoggingSettings; import structlog\n"
        "configure_logging(LoggingSettings(format='console')); structlog.get_logger().warning('hello')"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60, check=True)
    assert b"hello" in run.stdout
    assert b"\x1b" not in run.stdout
    assert run.stderr == b""


def test_many_lines_reach_standard_output_whole(capfd):
    lines = b"".join(b"%d:%s\n" % (n, b"x" * (n * 97 % 9000)) for n in range(60)) + b"unended"
    write_to_stdout(lines)
    assert capfd.readouterr().out.encode() == lines


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="only Linux has pipes that keep each write apart")
def test_lines_reach_a_pipe_in_writes_that_no_other_writer_can_cut():
    reading, writing = os.pipe2(os.O_DIRECT)
    code = "from config.logging import write_to_stdout; write_to_stdout(b''.join(b'%0999d\\n' % n for n in range(20)))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=writing, timeout=60, check=True)
    os.close(writing)
    packets = list(iter(lambda: os.read(reading, 65536), b""))
    os.close(reading)
    assert [len(packet) for packet in packets] == [4000] * 5
    assert all(packet.endswith(b"\n") for packet in packets)


def test_the_sink_of_the_settings_is_the_file(tmp_path):
    open_sink(LoggingSettings(file=tmp_path / "log"))(b"line\n")
    assert (tmp_path / "log").read_bytes() == b"line\n"
