"""Having the model sum up a conversation, so that the work goes on from the summary alone."""

from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Generate, Output, Reasoning, Sampling
from gemgate.hub.parts import Message, Text

INSTRUCTION = """\
The conversation above has become too long and will be deleted. Write a summary that takes its place: whoever goes on \
from here sees your summary and nothing else. Do not answer the last message, call no tool, and do not go on with the \
work.

Leave out what no longer matters, but keep everything that is needed to go on without asking or searching again:

1. What the user wants: each task, in the user's own words where they matter, with every constraint and preference \
that was told, also in passing.
2. What was decided, and why; what was tried and did not work.
3. What is done: files made, changed or read, with full paths, and what is in them that matters; commands that were \
run, and how they ended.
4. What was found out: facts, names, numbers, addresses, ids, errors by their exact words, pieces of code or text that \
will be needed again.
5. What is under way at this moment, and the next steps in order.

If there is a summary in the conversation already, take over what still holds of it. Write in the language of the \
conversation. Write plain text with short headings, without any words before or after the summary."""

WORDS = Message("user", (Text(INSTRUCTION),))


def summing(call: Generate) -> Generate:
    """Ask for a summary of a call's conversation; raises `InvalidRequest` where there is none."""
    if not call.messages:
        raise InvalidRequest("There is no conversation to compact.", param="input")
    return replace(
        call,
        messages=(*call.messages, WORDS),
        sampling=Sampling(),
        reasoning=Reasoning(effort="minimal"),
        output=Output(),
        tools=(),
        tool_choice=None,
    )
