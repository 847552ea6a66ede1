"""A dry run tells what would be sent, and does nothing else."""

import json
from typing import Any

import pytest

from gemgate.catalog.catalog import Target
from gemgate.errors import InvalidRequest, ModelNotFound
from gemgate.hub.call import Generate
from gemgate.hub.codec import Dropped
from gemgate.pipeline.preview import DryRun, Preview
from gemgate.protocols.openai_chat.inbound import inbound
from gemgate.upstreams.gemini_api.api import GeminiApi
from tests.pipeline.told import CATALOG, HELLO, TODAY, Fake, Prepared

IMAGE = "https://x.test/a.png"


class NoClient:
    """A client that must not be used."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} of the client was touched")


def api() -> GeminiApi:
    client: Any = NoClient()
    return GeminiApi(client, "https://far.test/base", "v1beta", lambda: "id")


def shown(upstream: Any = None, *, splits: bool = True, **fields: Any) -> Preview:
    dry_run = DryRun(upstream or api(), CATALOG, lambda: TODAY, splits=splits)
    return dry_run(inbound(json.dumps(HELLO | fields).encode()))


def body_of(preview: Preview) -> Any:
    return json.loads(b"".join(preview.outgoing.body))


def test_where_it_goes_and_what_is_said() -> None:
    preview = shown(model="gemini-2.5-flash", logit_bias={"a": 1}, max_tokens=999_999)
    assert (preview.upstream, preview.asked, preview.sent) == ("gemini", "gemini-2.5-flash", "gemini-2.5-flash")
    assert preview.outgoing.method == "POST"
    assert preview.outgoing.url == (
        "https://far.test/base/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    )
    assert [item.path for item in preview.dropped] == ["logit_bias"] and preview.fetched == () and preview.times == 1
    assert body_of(preview)["generationConfig"] == {"maxOutputTokens": 65536}


def test_drops_of_the_upstream_are_in_the_requests_words() -> None:
    preview = shown(Fake(dropped=(Dropped("sampling.seed", "no seed here"),)), seed=5)
    assert preview.dropped == [Dropped("seed", "no seed here")]


def test_suffixes_are_followed() -> None:
    preview = shown(model="gemini-2.5-flash-thinking-search")
    assert preview.sent == "gemini-2.5-flash" and {"googleSearch": {}} in body_of(preview)["tools"]


def test_media_are_named_and_not_fetched() -> None:
    content = [{"type": "image_url", "image_url": {"url": IMAGE}}] * 2
    preview = shown(model="gemini-2.0-flash", messages=[{"role": "user", "content": content}])
    assert preview.fetched == (IMAGE,)
    assert body_of(preview)["contents"][0]["parts"] == [{"inlineData": {"mimeType": "image/png"}}] * 2


def test_choices_are_asked_for_one_by_one() -> None:
    preview = shown(model="gemini-2.5-flash", n=3, seed=5)
    assert preview.times == 3 and body_of(preview)["generationConfig"] == {"seed": 5} and preview.dropped == []


def test_an_upstream_that_does_not_split_is_asked_for_all() -> None:
    preview = shown(Fake(), splits=False, n=3)
    assert preview.times == 1 and b"candidates=3" in b"".join(preview.outgoing.body)


def test_the_fault_of_a_request_is_named_in_its_words() -> None:
    class Choosy(Fake):
        def prepare(self, call: Generate, target: Target) -> Prepared:
            raise InvalidRequest("No.", param="sampling.seed")

    with pytest.raises(InvalidRequest) as caught:
        shown(Choosy(), seed=5)
    assert caught.value.param == "seed"


@pytest.mark.parametrize(("model", "error"), [("", InvalidRequest), ("a/../b", ModelNotFound)])
def test_what_is_no_model(model: str, error: Any) -> None:
    with pytest.raises(error):
        shown(model=model)
