"""A gateway that can be restarted in its place, before a Gemini that refuses what the real one refuses."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bed.gateway import CLIENT_KEY, Gateway, free_port, running_gateway
from tests.bed.sent import check_sent
from tests.bed.strict_gemini import Step, StrictGemini
from tests.bed.upstream import Answer, FakeUpstream, Received, part_chunk

Json = dict[str, Any]
KEY = CLIENT_KEY
PAGE = "https://a.example/rome"
"""What a grounded answer is taken from."""


class Bed:
    """A gateway, what it calls upstream, and the place that both outlive."""

    def __init__(self, up: FakeUpstream, folder: Path, life: contextlib.ExitStack, toml: str) -> None:
        self.up = up
        self.gemini = StrictGemini(up)
        self._life = life
        self._data = folder / "data"
        self._config = folder / "gemgate.toml"
        self._config.write_text(toml)
        self._port = free_port()
        self._said = ""
        self.gateway = self._start()

    @property
    def url(self) -> str:
        return self.gateway.base_url

    def will_say(self, *steps: Step) -> None:
        """Queue what the model says next."""
        self.gemini.will_say(*steps)

    def will_answer_first(self, *answers: Answer) -> None:
        """Queue answers that go before all the model has to say, as they are."""
        waiting = list(answers)

        def script(request: Received) -> Answer | None:
            return waiting.pop(0) if waiting and "enerateContent" in request.path else self.gemini.answer(request)

        self.up.script = script

    def restart(self, *, forget: bool = False) -> None:
        """Stop it in good order and start it again at the same port; `forget` empties its data folder between."""
        self._said += self.gateway.log()
        self._life.close()
        if forget:
            shutil.rmtree(self._data)
        self.gateway = self._start()

    def log(self) -> str:
        """Return what the gateway has written so far, also before it was restarted."""
        return self._said + self.gateway.log()

    def check(self) -> None:
        """Fail unless all that was sent upstream is what Google takes, without what is for Anthropic alone."""
        assert self.up.failures == []
        check_sent(self.up.requests, canonical=True)
        assert [request for request in self.up.requests if b"billing-header" in request.body] == []

    def begin_anew(self) -> None:
        """Forget what was sent and said; the gateway goes on as it is."""
        self.up.reset()
        self.gemini = StrictGemini(self.up)

    @property
    def asked(self) -> list[Json]:
        """What the model has been asked for so far, request by request."""
        return [request.json for request in self.up.calls("enerateContent")]

    def _start(self) -> Gateway:
        self._data.mkdir(exist_ok=True)
        settings = {
            "PORT": str(self._port),
            "GEMGATE_DATA_DIR": str(self._data),
            "GEMGATE_CONFIG": str(self._config),
            "GEMINI_API_KEYS": "A,B",
        }
        return self._life.enter_context(running_gateway(settings, upstream=self.up.base_url))


@contextlib.contextmanager
def running_bed(folder: Path, toml: str = "") -> Iterator[Bed]:
    """Run both, and check at the end what was sent upstream."""
    with FakeUpstream.in_thread({"A", "B"}) as up, contextlib.ExitStack() as life:
        bed = Bed(up, folder, life, toml)
        yield bed
    bed.check()


def signed(bed: Bed) -> None:
    """Every signature came back where it belongs, and none had to be made up."""
    assert (bed.gemini.refusals, bed.gemini.dummies, bed.gemini.lost) == ([], 0, [])


def parts(request: Json, kind: str) -> list[Json]:
    """The parts of one kind in a request to the model, in their order."""
    return [part for content in request["contents"] for part in content["parts"] if kind in part]


def result_texts(request: Json) -> list[str]:
    """What tools gave back, as far as a request to the model tells."""
    return [str(part["functionResponse"]["response"]) for part in parts(request, "functionResponse")]


def grounded(said: str, query: str) -> Json:
    """An answer out of the web, all of it found on one page."""
    support = {"segment": {"startIndex": 0, "endIndex": len(said), "text": said}, "groundingChunkIndices": [0]}
    made = part_chunk({"text": said}, finish="STOP")
    made["candidates"][0]["groundingMetadata"] = {
        "webSearchQueries": [query],
        "groundingChunks": [{"web": {"uri": PAGE, "title": "Rome today"}}],
        "groundingSupports": [support],
    }
    return made
