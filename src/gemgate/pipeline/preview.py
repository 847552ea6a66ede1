"""A dry run: what would be sent upstream for a request, with everything that is renamed and dropped."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from msgspec import Struct

from gemgate.catalog.catalog import Catalog
from gemgate.errors import InvalidRequest
from gemgate.hub.call import Generate
from gemgate.hub.codec import Dropped, Parsed
from gemgate.media.bring import stand_ins
from gemgate.pipeline.fit import fitted, in_client_terms, in_client_words
from gemgate.pipeline.several import singles
from gemgate.upstreams.base import Outgoing, Upstream


class Preview(Struct, frozen=True):
    """What would be sent, for the model `asked` of the upstream's model `sent`.

    `fetched` lists the media that would be downloaded first; `times` is how many such requests would be sent, one for
    each choice.
    """

    upstream: str
    asked: str
    sent: str
    outgoing: Outgoing
    dropped: list[Dropped]
    fetched: tuple[str, ...] = ()
    times: int = 1


class DryRun:
    """Tells what would be sent for a request, and sends nothing.

    `splits` is for an upstream that gives one choice a request, unless a model can give more (`several`). `check`
    raises the `InvalidRequest` for an address that would not be fetched.
    """

    def __init__(
        self,
        upstream: Upstream[Any],
        catalog: Catalog,
        today: Callable[[], date],
        *,
        splits: bool = False,
        check: Callable[[str], object] | None = None,
    ) -> None:
        self._upstream = upstream
        self._catalog = catalog
        self._today = today
        self._splits = splits
        self._check = check

    def __call__(self, parsed: Parsed) -> Preview:
        """Translate a request; raises the `InvalidRequest` that it would meet."""
        call = parsed.call
        assert isinstance(call, Generate)
        if not call.model:
            raise InvalidRequest("The request names no model.", param="model")
        target, upstream = self._catalog.route(call.model, self._today()), self._upstream
        times = 1
        if self._splits and not target.abilities.candidates:
            times, call = call.sampling.candidates, singles(call)[0]
        try:
            call, fetched = stand_ins(call, partial(upstream.by_address, target=target), self._check)
            prepared = upstream.prepare(fitted(call, target), target)
        except InvalidRequest as error:
            in_client_terms(error, parsed.paths)
            raise
        dropped = [*parsed.dropped, *in_client_words(prepared.dropped, parsed.paths)]
        sent = upstream.model_name or target.model
        return Preview(upstream.name, target.asked, sent, upstream.outgoing(prepared), dropped, fetched, times)
