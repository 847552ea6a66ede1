"""Probabilities of tokens, as OpenAI writes them."""

import math

from gemgate.hub.events import LEAST_LOGPROB, TokenLogprob


def token_object(token: TokenLogprob) -> dict[str, object]:
    """Give a token and what else might have stood there."""
    return _plain(token) | {"top_logprobs": [_plain(other) for other in token.alternatives]}


def _plain(token: TokenLogprob) -> dict[str, object]:
    logprob = token.logprob if math.isfinite(token.logprob) else LEAST_LOGPROB
    return {"token": token.token, "logprob": logprob, "bytes": list(token.token.encode())}
