"""The response object: what is known of it from the beginning, and what its end adds."""

from collections.abc import Callable, Sequence

from msgspec import Struct, json

from gemgate.errors import GemgateError
from gemgate.hub.codec import Identity
from gemgate.hub.events import Usage
from gemgate.protocols.openai_responses.echo import echoed
from gemgate.protocols.openai_responses.ending import Ending
from gemgate.protocols.openai_responses.errors import failed
from gemgate.protocols.openai_responses.style import Style
from gemgate.protocols.openai_responses.usage import tier, usage_object

encode = json.Encoder().encode


class State(Struct, frozen=True, kw_only=True):
    """What changes while a response is made: each is JSON."""

    status: bytes
    completed: bytes = b"null"
    error: bytes = b"null"
    incomplete: bytes = b"null"
    output: bytes = b"[]"
    usage: bytes = b"null"
    tier: bytes = b'"auto"'


QUEUED = State(status=b'"queued"')
BEGUN = State(status=b'"in_progress"')


def ended(ending: Ending, output: Sequence[bytes], usage: Usage, seconds: Callable[[], float] | None) -> State:
    """Give the state of a response that has come to its end; `seconds` tells when."""
    return State(
        status=encode(ending.status),
        completed=b"%d" % int(seconds()) if seconds is not None and ending.status == "completed" else b"null",
        error=encode(failed(ending.error)) if ending.error is not None else b"null",
        incomplete=encode({"reason": ending.reason}) if ending.reason else b"null",
        output=_listed(output),
        usage=encode(usage_object(usage)),
        tier=encode(tier(usage)),
    )


def broken(error: GemgateError, output: Sequence[bytes]) -> State:
    """Give the state of a response that has failed; `output` is what was complete by then."""
    return State(status=b'"failed"', error=encode(failed(error)), output=_listed(output))


class ResponseFrame:
    """Writes the object in each of its states; what does not change is written once."""

    __slots__ = ("_head", "_tail", "id")

    def __init__(self, identity: Identity, style: Style) -> None:
        self.id = f"resp_{style.response_id or identity.response_id}"
        self._head = b'{"id":%b,"object":"response","created_at":%d,"model":%b,"background":%b' % (
            encode(self.id),
            identity.created,
            encode(identity.model),
            encode(style.queued),
        )
        conversation = encode({"id": style.conversation_id} if style.conversation_id else None)
        self._tail = b'"conversation":%b,"store":%b,%b}' % (conversation, encode(style.stored), echoed(style.echo))

    def document(self, state: State) -> bytes:
        """Write the object."""
        return (
            b'%b,"status":%b,"completed_at":%b,"error":%b,"incomplete_details":%b,"output":%b,"usage":%b,"service_tier":%b,%b'
            % (
                self._head,
                state.status,
                state.completed,
                state.error,
                state.incomplete,
                state.output,
                state.usage,
                state.tier,
                self._tail,
            )
        )


def _listed(items: Sequence[bytes]) -> bytes:
    return b"[%b]" % b",".join(items)
