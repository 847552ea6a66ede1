"""Going on with a long answer: the request, and where a reply may be taken up."""

import json

import pytest

from gemgate.hub.events import Failure
from gemgate.hub.fold import fold
from gemgate.hub.parts import Text
from gemgate.protocols.gemini.continuation import continued
from gemgate.protocols.gemini.reader import GeminiReader
from tests.protocols.replaying import Json, chunk, document

TEXT: Json = {"text": "a"}


@pytest.mark.parametrize("token", ["abc=", 'a"\\b\n', "é✓"])
def test_the_request_is_the_same_but_for_the_token(token: str) -> None:
    media = memoryview(b"QUJD" * 1000)
    body = (b'{"contents":[{"data":"', media, b'"}],"x":1}')
    made = continued(body, token)
    assert json.loads(b"".join(made)) == {"continuationToken": token, **json.loads(b"".join(body))}
    assert made[2] is media, "no segment is copied"
    as_view = continued((memoryview(b'{"x":1}'),), token)
    assert json.loads(b"".join(as_view)) == {"continuationToken": token, "x": 1}


@pytest.mark.parametrize(
    ("payloads", "checkpoint"),
    [
        ([chunk(TEXT)], ""),
        ([chunk(TEXT, continuationToken="t")], "t"),
        ([chunk(TEXT, continuationToken="t"), chunk({"text": ""})], "t"),
        ([chunk(TEXT, continuationToken="t"), chunk(TEXT, continuationToken="u")], "u"),
        ([chunk(TEXT, continuationToken="t"), chunk(TEXT)], ""),
        ([chunk(TEXT, continuationToken="t"), chunk({"text": "a", "thought": True})], ""),
        ([chunk(TEXT, continuationToken="t"), chunk({"functionCall": {"name": "f"}})], ""),
        ([chunk(TEXT, continuationToken="t"), chunk({"functionCall": {"name": "f", "willContinue": True}})], ""),
        ([document(TEXT, finishReason="CONTINUATION", continuationToken="t")], "t"),
        ([chunk(TEXT, finishReason="STOP"), document(finishReason="CONTINUATION", continuationToken="t")], "t"),
        ([document(TEXT, continuationToken="t")], ""),
        ([document(TEXT, finishReason="CONTINUATION", continuationToken=5)], ""),
        ([document(TEXT, finishReason="CONTINUATION")], ""),
        ([chunk(TEXT, continuationToken="t"), chunk(TEXT, index=1, continuationToken="t")], ""),
        ([chunk(TEXT, continuationToken="t"), b'{"error":{"code":503,"message":"x"}}'], ""),
        ([chunk(TEXT, continuationToken="t"), b'{"promptFeedback":{"blockReason":"SAFETY"}}'], ""),
        ([], ""),
    ],
)
def test_where_a_reply_may_be_taken_up(payloads: list[bytes], checkpoint: str) -> None:
    reader = GeminiReader()
    reader.feed(*payloads)
    assert reader.checkpoint == checkpoint


def test_a_hop_forgets_how_the_one_before_ended() -> None:
    reader = GeminiReader()
    first = reader.feed(document(TEXT, finishReason="CONTINUATION", finishMessage="more", continuationToken="t"))
    reader.resume()
    assert reader.checkpoint == "t", "nothing has come since"
    reply = fold([*first, *reader.feed(document(TEXT, avgLogprobs=-1)), *reader.end()])
    finish = reply.choices[0].finish
    assert (finish.reason, finish.message, reply.choices[0].parts) == ("stop", "", (Text("aa"),))
    assert finish.vendor and json.loads(finish.vendor.raw) == {"avgLogprobs": -1}


def test_a_hop_that_does_not_end_is_no_end() -> None:
    reader = GeminiReader()
    reader.feed(document(TEXT, finishReason="CONTINUATION", continuationToken="t"))
    reader.resume()
    reader.feed(chunk(TEXT))
    assert isinstance(reader.end()[-1], Failure)


def test_a_whole_reply_without_a_reason_has_ended_in_any_hop() -> None:
    reader = GeminiReader(whole=True)
    first = reader.feed(chunk(TEXT, continuationToken="t"))
    reader.resume()
    reply = fold([*first, *reader.feed(chunk(continuationToken="u")), *reader.end()])
    assert reply.choices[0].finish.reason == "stop" and reply.choices[0].parts == (Text("a"),)
