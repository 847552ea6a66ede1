"""What the tests of this folder ask, and how they listen."""

from gemgate.catalog.catalog import Target
from gemgate.hub.call import Generate, Sampling
from gemgate.hub.events import Event
from gemgate.hub.fold import Choice, Reply, fold
from gemgate.hub.parts import Message, Part, Text
from gemgate.upstreams.embedded import EmbeddedUpstream
from gemgate.upstreams.embedded.upstream import EmbeddedReply

TARGET = Target(asked="gemini-2.5-flash", model="gemini-2.5-flash")


def generate(said: str | Part | tuple[Message, ...], **fields: object) -> Generate:
    """A call with one user message, or with the messages given; short and repeatable unless it says otherwise."""
    parts: tuple[Part, ...] = (Text(said),) if isinstance(said, str) else ()
    messages = said if isinstance(said, tuple) else (Message("user", parts or (said,)),)  # type: ignore[arg-type]
    return Generate(
        model="gemini-2.5-flash",
        messages=messages,
        **{"sampling": Sampling(temperature=0, seed=1, max_output_tokens=12), **fields},  # type: ignore[arg-type]
    )


async def begin(upstream: EmbeddedUpstream, call: Generate) -> EmbeddedReply:
    """Prepare and begin."""
    return await upstream.generate(upstream.prepare(call, TARGET), TARGET, None)


async def counted(upstream: EmbeddedUpstream, call: Generate) -> int:
    """The length of a call's prompt in tokens."""
    return await upstream.count_tokens(upstream.prepare(call, TARGET), TARGET, None)


async def events_of(upstream: EmbeddedUpstream, call: Generate) -> list[Event]:
    """The whole run of events."""
    reply = await begin(upstream, call)
    return [event async for batch in reply for event in batch]


async def ask(upstream: EmbeddedUpstream, call: Generate) -> Reply:
    """The whole reply."""
    return fold(await events_of(upstream, call))


def text_of(choice: Choice) -> str:
    """The visible text of a choice."""
    return "".join(part.text for part in choice.parts if isinstance(part, Text))
