"""Token counts of one hop and of several."""

import json

from gemgate.hub.events import Usage
from gemgate.protocols.gemini.reader import GeminiReader


def feed(reader: GeminiReader, **counts: int) -> None:
    details = [{"modality": "TEXT", "tokenCount": counts["candidatesTokenCount"]}]
    reader.feed(json.dumps({"usageMetadata": {**counts, "candidatesTokensDetails": details}}).encode())


def test_counts_of_hops_add_up_and_those_of_chunks_do_not() -> None:
    reader = GeminiReader()
    feed(reader, promptTokenCount=5, candidatesTokenCount=1)
    feed(reader, promptTokenCount=5, candidatesTokenCount=2, thoughtsTokenCount=4)
    first = reader.usage
    assert first.vendor and (first.input_tokens, first.output_tokens, first.thought_tokens) == (5, 2, 4)
    reader.resume()
    assert (reader.usage.input_tokens, reader.usage.output_tokens) == (5, 2)
    feed(reader, promptTokenCount=6, candidatesTokenCount=1)
    feed(reader, promptTokenCount=6, candidatesTokenCount=3)
    usage = reader.usage
    assert (usage.input_tokens, usage.output_tokens, usage.thought_tokens) == (11, 5, 4)
    assert usage.output_by_modality == {"text": 5}


def test_a_hop_without_counts_costs_nothing() -> None:
    reader = GeminiReader()
    reader.resume()
    assert reader.usage == Usage()
    feed(reader, candidatesTokenCount=2)
    reader.resume()
    reader.resume()
    assert reader.usage.output_tokens == 2
