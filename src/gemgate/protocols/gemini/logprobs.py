"""Probabilities of tokens: Gemini's two parallel lists ↔ one list with alternatives."""

from math import isfinite

import msgspec
from msgspec import Raw, Struct, json

from gemgate.hub.events import LEAST_LOGPROB, TokenLogprob

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
LISTS = ("topCandidates", "chosenCandidates")


class _Token(Struct, rename="camel"):
    token: str = ""
    log_probability: float | None = None


class _Top(Struct):
    candidates: list[_Token] = []


class _Result(Struct, rename="camel"):
    top_candidates: list[_Top] = []
    chosen_candidates: list[_Token] = []


_decode = json.Decoder(_Result, strict=False).decode
_decode_fields = json.Decoder(dict[str, Raw]).decode
_decode_list = json.Decoder(list[Raw]).decode


def logprobs(raw: Raw) -> tuple[TokenLogprob, ...]:
    """Translate a `logprobsResult`; one that cannot be read says nothing."""
    try:
        result = _decode(raw)
    except UNREADABLE:
        return ()
    tops = result.top_candidates
    return tuple(
        _token(chosen, tops[position].candidates if position < len(tops) else [])
        for position, chosen in enumerate(result.chosen_candidates)
    )


def _token(token: _Token, alternatives: list[_Token]) -> TokenLogprob:
    logprob = token.log_probability
    if logprob is None:
        logprob = 0.0  # Gemini leaves zeros out
    elif not isfinite(logprob):
        logprob = LEAST_LOGPROB
    return TokenLogprob(token.token, logprob, tuple(_token(other, []) for other in alternatives))


def joined(results: list[Raw]) -> Raw:
    """Put the pieces of a stream together: lists one after the other, of all else the last.

    What cannot be read is left out, unless it is all there is.
    """
    if len(results) == 1:
        return results[0]
    whole: dict[str, object] = {}
    lists: dict[str, list[Raw]] = {}
    for raw in results:
        try:
            fields = _decode_fields(raw)
            items = {name: _decode_list(fields[name]) for name in LISTS if name in fields}
        except UNREADABLE:
            continue
        whole |= fields
        for name, more in items.items():
            lists.setdefault(name, []).extend(more)
    return Raw(json.encode(whole | lists))
