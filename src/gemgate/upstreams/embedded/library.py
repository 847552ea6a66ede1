"""xllamacpp behind a typed face: the one place that knows it, imported late because it is 100 MB."""

import contextlib
import http.client
import os
import secrets
import socket
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from gemgate.errors import InvalidRequest, Unavailable, UpstreamError
from gemgate.upstreams.embedded.advice import INSTALL, SET_A_KEY

# Prompt tokens between two looks at whether somebody still wants the answer: about half a second on one slow core,
# and no slower in all than larger steps.
_STEP_TOKENS = 64
_COUNT_SECONDS = 30.0
# What every Unix accepts, in bytes.
_LONGEST_SOCKET_PATH = 100


class _Server(Protocol):
    listening_address: str

    def handle_chat_completions(self, request: dict[str, Any], callback: Callable[[object], bool], /) -> object: ...


class _InputTokens(msgspec.Struct):
    input_tokens: int


class Model:
    """A loaded model. Its methods block and may be called from several threads."""

    def __init__(self, server: _Server, secret: str, folder: tempfile.TemporaryDirectory[str]) -> None:
        self._server: _Server | None = server
        self._address = server.listening_address
        self._secret = secret
        self._folder = folder

    def generate(self, request: dict[str, Any], take: Callable[[object], bool]) -> None:
        """Run a chat request, giving each chunk or error to `take` until that returns true or the answer ends.

        Before the first token, and at each step of a long prompt, come chunks that hold no text. Raises what the
        library raises; an exception in `take` would vanish.
        """
        if self._server is not None:
            asked = {**request, "stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
            self._server.handle_chat_completions(asked, take)

    def count(self, messages: list[dict[str, str]]) -> int:
        """Count the tokens of a conversation in its template; takes some milliseconds."""
        # The library has no call for it, but its server has.
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}
        body = msgspec.json.encode({"messages": messages})
        try:
            with contextlib.closing(_Connection(self._address)) as connection:
                connection.request("POST", "/v1/chat/completions/input_tokens", body, headers)
                response = connection.getresponse()
                answer = response.read()
        except (OSError, http.client.HTTPException):
            raise UpstreamError("The embedded model could not count the prompt. Try again.") from None
        if 400 <= response.status < 500:
            raise InvalidRequest("The embedded model's chat template refuses this conversation.", param="messages")
        if response.status != 200:
            raise UpstreamError("The embedded model could not count the prompt.")
        return msgspec.json.decode(answer, type=_InputTokens).input_tokens

    def close(self) -> None:
        """Free the model; no `generate` may be running."""
        self._server = None
        self._folder.cleanup()


def load(path: Path, *, context_tokens: int, concurrency: int) -> Model:
    """Import the library and load a model, in half a second or more; raises `Unavailable` with the cure, or `OSError`.

    For most of that time the library holds the interpreter's lock: nothing else in the process moves.
    """
    _read_through(path)
    try:
        library: Any = import_module("xllamacpp")
    except ImportError as error:
        raise Unavailable(
            f"The embedded model's runtime is not installed ({error}). {INSTALL} — or: {SET_A_KEY}"
        ) from None
    folder = tempfile.TemporaryDirectory(prefix="gemgate-", ignore_cleanup_errors=True)
    secret = secrets.token_urlsafe(32)
    parameters = library.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = context_tokens * concurrency
    parameters.n_parallel = concurrency
    parameters.n_batch = parameters.n_ubatch = _STEP_TOKENS
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 1) - 1)
    # It always listens: in a folder that only this user can enter, or else on a local port; never without a key.
    place = f"{folder.name}/llama.sock"
    is_private = hasattr(socket, "AF_UNIX") and len(os.fsencode(place)) <= _LONGEST_SOCKET_PATH
    parameters.hostnames = [place if is_private else "127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [secret]
    parameters.n_threads_http = 1
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.verbosity = -1
    # A cache of 8 GB by default, beside the one in the context.
    parameters.cache_ram_mib = 0
    # Both would double the time of loading, during which the library keeps every other thread waiting.
    parameters.fit_params = False
    parameters.warmup = False
    try:
        server = cast(_Server, library.Server(parameters))
    except Exception:
        folder.cleanup()
        raise Unavailable(
            f"llama.cpp could not load the embedded model from {path}; is it a whole GGUF file? "
            f"Correct the setting, or: {SET_A_KEY}"
        ) from None
    model = Model(server, secret, folder)
    # One token, so that the library's own loop is running: taking the model down before that can block for ever.
    model.generate({"messages": [{"role": "user", "content": "."}], "max_tokens": 1}, lambda chunk: False)
    return model


def _read_through(path: Path) -> None:
    """Bring a file into the page cache, so that the library, which holds up every other thread, finds it there."""
    buffer = bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


class _Connection(http.client.HTTPConnection):
    """To the library's own server, wherever it listens."""

    def __init__(self, address: str) -> None:
        scheme, _, self._place = address.partition("://")
        super().__init__("localhost" if scheme == "unix" else self._place, timeout=_COUNT_SECONDS)
        self._is_unix = scheme == "unix"

    def connect(self) -> None:
        if not self._is_unix:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_COUNT_SECONDS)
        self.sock.connect(self._place)
