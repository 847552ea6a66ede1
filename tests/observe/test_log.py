"""The log line of a request."""

import io
import logging
from collections.abc import Iterator

import msgspec
import pytest

from gemgate.callers.auth import Caller
from gemgate.errors import InvalidRequest
from gemgate.hub.codec import Dropped
from gemgate.hub.events import Usage
from gemgate.observe.log import LOGGER, JsonFormatter, TextFormatter, log_exchange, set_up
from gemgate.pipeline.exchange import Exchange

SECRET = "AIza" + "S" * 35


@pytest.fixture(params=["text", "json"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    stream.name = request.param
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if request.param == "text" else JsonFormatter())
    before = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel("INFO")
    yield stream
    LOGGER.removeHandler(handler)
    LOGGER.setLevel(before)


async def receive() -> dict[str, object]:
    return {}


async def send(message: object) -> None:
    del message


def exchange(path: str = "/v1/chat/completions", query: bytes = b"") -> Exchange:
    made = Exchange(
        method="POST",
        path=path,
        query=query,
        headers=[(b"authorization", f"Bearer {SECRET}".encode()), (b"x-api-key", b"gg-client-key-1")],
        receive=receive,
        send=send,
        request_id="req_1",
    )
    made.status = 200
    return made


def full() -> Exchange:
    made = exchange(query=f"key={SECRET}".encode())
    made.caller = Caller("caller01")
    made.upstream, made.attempts = "up", 2
    made.asked_model, made.sent_model = "asked", "sent"
    made.usage = Usage(input_tokens=10, output_tokens=3, thought_tokens=4)
    made.dropped = [Dropped("seed", "why"), Dropped("n", "why")]
    return made


def test_what_a_line_tells(log: io.StringIO) -> None:
    log_exchange(full(), 10.0, 10.1234)
    line = log.getvalue()
    assert line.count("\n") == 1
    if log.name == "text":
        assert line.endswith(
            "INFO    200 POST /v1/chat/completions 123.4 ms  asked → sent  up x2  10+7 tokens  "
            "dropped ['seed', 'n']  req_1\n"
        )
    else:
        facts = msgspec.json.decode(line)
        assert facts.pop("time").endswith("Z")
        assert facts == {
            "level": "info",
            "status": 200,
            "method": "POST",
            "path": "/v1/chat/completions",
            "milliseconds": 123.4,
            "upstream": "up",
            "attempts": 2,
            "request_id": "req_1",
            "caller": "caller01",
            "model": "asked",
            "sent_model": "sent",
            "input_tokens": 10,
            "output_tokens": 7,
            "dropped": ["seed", "n"],
        }


def test_a_bare_line(log: io.StringIO) -> None:
    log_exchange(exchange("/x"), 1.0, 1.0)
    assert "model" not in log.getvalue() and "tokens" not in log.getvalue()


async def test_what_was_wrong(log: io.StringIO) -> None:
    """The kind and the place, not the words: those may be the client's own."""
    made = exchange()
    made.render_error = lambda error: (error.status, b"{}")
    await made.fail(InvalidRequest("not for the log", param="messages.0.content"))
    log_exchange(made, 0.0, 1.0)
    line = log.getvalue()
    assert "400" in line and "invalid_value" in line and "messages.0.content" in line and "not for" not in line


def test_who_left_is_a_499(log: io.StringIO) -> None:
    log_exchange(full(), 0.0, 1.0, gone=True)
    assert "499" in log.getvalue()


@pytest.mark.parametrize(
    ("status", "level"), [(200, "info"), (404, "info"), (499, "info"), (500, "warning"), (503, "warning")]
)
def test_levels(log: io.StringIO, status: int, level: str) -> None:
    made = exchange()
    made.status = status
    log_exchange(made, 0.0, 1.0)
    assert level in log.getvalue().lower()


def test_what_the_level_leaves_out(log: io.StringIO) -> None:
    LOGGER.setLevel("WARNING")
    log_exchange(exchange(), 0.0, 1.0)
    assert log.getvalue() == ""


def test_no_secret_is_told(log: io.StringIO) -> None:
    made = full()
    made.path = f"/v1/{SECRET}"
    made.asked_model = f"gg-{'k' * 20}"
    made.dropped = [Dropped(f"x.{SECRET}", "why")]
    log_exchange(made, 0.0, 1.0)
    assert SECRET not in log.getvalue() and "kkkkkkkk" not in log.getvalue()
    assert "gg-client-key-1" not in log.getvalue()
    assert log.getvalue().count("[redacted]") == 3


def test_no_secret_in_a_traceback(log: io.StringIO) -> None:
    try:
        raise RuntimeError(f"refused {SECRET} and ?key=hunter2 and Bearer hunter2hunter2")
    except RuntimeError:
        LOGGER.exception("it failed with %s", SECRET)
    said = log.getvalue()
    assert "RuntimeError" in said and "Traceback" in said
    assert SECRET not in said and "hunter2" not in said


def test_a_client_cannot_forge_a_line(log: io.StringIO) -> None:
    made = exchange("/v1/x\n12:00:00 INFO    200 GET /forged\r\x1b[2J\u2028\x85")
    made.asked_model = made.sent_model = "m\nforged"
    log_exchange(made, 0.0, 1.0)
    said = log.getvalue()
    assert len(said.splitlines()) == 1
    assert "\x1b" not in said


@pytest.mark.parametrize("form", ["text", "json"])
def test_set_up(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    root, before = logging.getLogger(), LOGGER.level
    handlers, level = root.handlers[:], root.level
    server = logging.getLogger("uvicorn")
    try:
        set_up("INFO", "json" if form == "json" else "text")
        LOGGER.info("told %s", SECRET)
        LOGGER.debug("not told")
        server.info("not told either")
        logging.getLogger("other").warning("a warning")
    finally:
        root.handlers[:], root.level = handlers, level
        LOGGER.setLevel(before)
        server.setLevel(logging.NOTSET)
    said = capsys.readouterr()
    assert said.out == ""
    assert "told [redacted]" in said.err and "a warning" in said.err and "not told" not in said.err
    assert said.err.startswith("{") is (form == "json")


def test_an_answer_that_broke_off_is_a_warning_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    made = full()
    made.broke_off = "The connection to the upstream broke off."
    with caplog.at_level("INFO", logger=LOGGER.name):
        log_exchange(made, 0.0, 1.0)
    (record,) = caplog.records
    assert record.levelname == "WARNING" and "broke off: The connection" in record.getMessage()
