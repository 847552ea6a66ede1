"""The log: one line for each request, on standard error, with no secret in it."""

import logging
import sys
import time
from typing import Literal

from msgspec import json

from gemgate.errors import InvalidRequest
from gemgate.observe.redact import redacted
from gemgate.pipeline.exchange import Exchange

LOGGER = logging.getLogger("gemgate")

CONTROLS = {code: ascii(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}
"""What a client has named may not begin a line of its own, nor steer a terminal."""


class TextFormatter(logging.Formatter):
    """For people."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a line."""
        said = record.getMessage().translate(CONTROLS)
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:<7} {said}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redacted(line)


class JsonFormatter(logging.Formatter):
    """For machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a line."""
        document: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
        }
        facts = getattr(record, "facts", None)
        document |= facts if isinstance(facts, dict) else {"message": record.getMessage()}
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return redacted(json.encode(document).decode())


def set_up(level: str, form: Literal["text", "json"]) -> None:
    """Send everything to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if form == "text" else JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    LOGGER.setLevel(level)
    logging.getLogger("uvicorn").setLevel(level if level == "DEBUG" else "WARNING")


def log_exchange(exchange: Exchange, began: float, now: float, *, gone: bool = False) -> None:
    """Write the line of a finished request; `began` and `now` in seconds of one clock."""
    level = logging.WARNING if exchange.status >= 500 or exchange.broke_off else logging.INFO
    if not LOGGER.isEnabledFor(level):
        return
    facts = _facts(exchange, now - began, gone=gone)
    LOGGER.log(level, _sentence(facts), extra={"facts": facts})


def _facts(exchange: Exchange, seconds: float, *, gone: bool) -> dict[str, object]:
    facts: dict[str, object] = {
        "status": 499 if gone else exchange.status,
        "method": exchange.method,
        # A decoded path may hold line breaks; a log line is one line.
        "path": exchange.path.encode("unicode_escape").decode(),
        "milliseconds": round(seconds * 1000, 1),
        "upstream": exchange.upstream,
        "attempts": exchange.attempts,
        "request_id": exchange.request_id,
    }
    if exchange.caller is not None:
        facts["caller"] = exchange.caller.id
    if exchange.asked_model:
        facts["model"] = exchange.asked_model[:200]
        if exchange.sent_model and exchange.sent_model != exchange.asked_model:
            facts["sent_model"] = exchange.sent_model[:200]
    usage = exchange.count_usage() if exchange.count_usage is not None else exchange.usage
    if usage is not None:
        facts["input_tokens"] = usage.input_tokens
        facts["output_tokens"] = usage.output_tokens + usage.thought_tokens
    if exchange.error is not None:
        facts["error"] = exchange.error.code
        if isinstance(exchange.error, InvalidRequest) and exchange.error.param:
            facts["param"] = exchange.error.param[:100]
    if exchange.broke_off:
        facts["broke_off"] = exchange.broke_off[:200]
    if exchange.dropped:
        facts["dropped"] = [item.path for item in exchange.dropped]
    return facts


def _sentence(facts: dict[str, object]) -> str:
    words = [f"{facts['status']} {facts['method']} {facts['path']} {facts['milliseconds']} ms"]
    if "model" in facts:
        words.append(f"{facts['model']} → {facts['sent_model']}" if "sent_model" in facts else f"{facts['model']}")
    if facts["upstream"] != "none":
        words.append(f"{facts['upstream']} x{facts['attempts']}")
    if "input_tokens" in facts:
        words.append(f"{facts['input_tokens']}+{facts['output_tokens']} tokens")
    if "error" in facts:
        words.append(f"{facts['error']} {facts['param']}" if "param" in facts else f"{facts['error']}")
    if "broke_off" in facts:
        words.append(f"broke off: {facts['broke_off']}")
    if "dropped" in facts:
        words.append(f"dropped {facts['dropped']}")
    words.append(f"{facts['request_id']}")
    return "  ".join(words)
