"""The runner of the gateway, tried on stand-ins."""

import sys
from collections.abc import Sequence

import pytest

from tests.bed import gateway as bed
from tests.bed.gateway import CLIENT_KEY, GatewayFailed, running_gateway
from tests.bed.wire import fetch_json

STAND_IN = """
import http.server, json, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(os.environ.get("STATUS", "0"))))
print("ready", flush=True)
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


def _command(code: str = STAND_IN) -> Sequence[str]:
    return (sys.executable, "-c", code)


async def test_it_runs_in_a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "leaked")
    with running_gateway({"LOG_LEVEL": ""}, upstream="http://127.0.0.1:9", command=_command()) as gateway:
        status, seen = await fetch_json("GET", gateway.base_url + "/health")
        assert status == 200
        assert (gateway.key, seen["API_KEYS"], seen["GEMINI_BASE_URL"]) == (
            CLIENT_KEY,
            CLIENT_KEY,
            "http://127.0.0.1:9",
        )
        assert "GEMINI_API_KEY" not in seen and "LOG_LEVEL" not in seen
        assert gateway.data_dir.is_dir() and "ready" in gateway.log()
    assert gateway.process.returncode == 0
    assert not gateway.data_dir.exists()


def test_a_wrong_end_fails() -> None:
    with (
        pytest.raises(GatewayFailed, match="status 3"),
        running_gateway({"STATUS": "3"}, command=_command(), arguments=()),
    ):
        pass


def test_a_failed_start_shows_what_it_said() -> None:
    code = "import sys; sys.exit('no such setting')"
    with pytest.raises(GatewayFailed, match="no such setting"), running_gateway(command=_command(code)):
        pass


def test_a_start_that_takes_too_long_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bed, "START_SECONDS", 0.3)
    code = "import signal; signal.pause()"
    with pytest.raises(GatewayFailed, match="not ready"), running_gateway(command=_command(code)):
        pass


def test_it_is_killed_if_it_does_not_stop() -> None:
    deaf = STAND_IN.replace("lambda *_: sys.exit", "lambda *_: str")
    with running_gateway(command=_command(deaf), expect_status=None) as gateway:
        with pytest.raises(GatewayFailed, match="SIGTERM"):
            gateway.stop(0.3)
        assert gateway.process.returncode == -9
