"""Batches of embeddings larger than Gemini takes: cut, and put together again (notes §9.4)."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct, json

from gemgate.errors import UpstreamError
from gemgate.hub.usage import total
from gemgate.protocols.gemini.usage import usage_event

MAX_REQUESTS = 100
"""What one batchEmbedContents may hold."""


class _Batch(Struct):
    requests: list[Raw] = []


class _Embeddings(Struct, rename="camel"):
    embeddings: list[Raw] = []
    usage_metadata: dict[str, Raw] = {}


def cut(body: bytes | memoryview) -> list[bytes]:
    """Cut the body of batchEmbedContents into bodies that Gemini takes; empty if it is none too large."""
    try:
        requests = json.decode(body, type=_Batch).requests
        if len(requests) <= MAX_REQUESTS:
            return []
        members = json.decode(body, type=dict[str, Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []  # the upstream says what is wrong with it
    return [
        json.encode(members | {"requests": requests[start : start + MAX_REQUESTS]})
        for start in range(0, len(requests), MAX_REQUESTS)
    ]


def joined(replies: Sequence[bytes]) -> bytes:
    """Put the replies to the pieces together, in their order; raises `UpstreamError` for one that cannot be read."""
    try:
        found = [json.decode(reply, type=_Embeddings) for reply in replies]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UpstreamError("The upstream's embeddings cannot be read.") from error
    document: dict[str, object] = {"embeddings": [vector for each in found for vector in each.embeddings]}
    counted = [each.usage_metadata for each in found if each.usage_metadata]
    if counted:
        usage = total(usage_event(fields) for fields in counted)
        document["usageMetadata"] = {"promptTokenCount": usage.input_tokens, "totalTokenCount": usage.total_tokens}
    return json.encode(document)
