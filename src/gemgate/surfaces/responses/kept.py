"""`/v1/responses/{id}`: looking at responses that are kept, following, cancelling and deleting them."""

from gemgate.errors import InvalidRequest, NotFound
from gemgate.pipeline.exchange import Exchange
from gemgate.store.protocols import StoredResponse
from gemgate.surfaces.responses.background import Background
from gemgate.surfaces.responses.caller import caller_id
from gemgate.surfaces.responses.listing import page, paged, parameters, whole_number
from gemgate.surfaces.responses.past import Store, read

TRUE = frozenset({"true", "True", "1"})
BEFORE_THE_FIRST = -1


class KeptResponses:
    """Answers for responses that are kept; those of other callers are not found."""

    def __init__(self, store: Store, background: Background) -> None:
        self._store = store
        self._background = background

    async def get(self, exchange: Exchange, response_id: str) -> None:
        """Answer with a response as it is by now, or with its events from some number on."""
        asked = parameters(exchange.query)
        response = await self._found(exchange, response_id)
        if asked.get("stream") not in TRUE:
            await exchange.answer(200, response.document)
            return
        after = whole_number(asked, "starting_after", BEFORE_THE_FIRST)
        if not await read(lambda: self._store.events(response_id, BEFORE_THE_FIRST, 1)):
            raise InvalidRequest(
                "This response cannot be streamed because it was not created with `stream=true` in the background.",
                param="stream",
            )
        await self._background.follow(exchange, response, after)

    async def delete(self, exchange: Exchange, response_id: str) -> None:
        """Forget a response, and stop the work on it."""
        if not await read(lambda: self._store.delete_response(caller_id(exchange), response_id)):
            raise _not_found(response_id)
        self._background.stop(response_id)
        await exchange.answer(200, b'{"id":"%s","object":"response","deleted":true}' % response_id.encode())

    async def cancel(self, exchange: Exchange, response_id: str) -> None:
        """Stop the work on a response in the background; one that is over stays as it is."""
        response = await self._found(exchange, response_id)
        if not response.background:
            raise InvalidRequest("Only responses created with `background=true` can be cancelled.", param="response_id")
        cancelled = await read(lambda: self._background.cancel(response))
        await exchange.answer(200, cancelled.document)

    async def input_items(self, exchange: Exchange, response_id: str) -> None:
        """Answer with a page of what a response was asked, with all that went before it."""
        asked = page(exchange.query)
        items = await read(lambda: self._store.given(caller_id(exchange), response_id))
        if items is None:
            raise _not_found(response_id)
        await exchange.answer(200, paged(items, asked))

    async def _found(self, exchange: Exchange, response_id: str) -> StoredResponse:
        response = await read(lambda: self._store.response(caller_id(exchange), response_id))
        if response is None:
            raise _not_found(response_id)
        return response


def _not_found(response_id: str) -> NotFound:
    return NotFound(f"Response with id '{response_id[:128]}' not found.")
