"""The model's messages in a history, with the signatures that this server has sealed into their thinking blocks.

What other servers have put there is foreign and left out, thoughts too: they are of no use to this model (notes §5.3).
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Code, CodeResult, Message, Part, Signature, Thought, ToolCall
from gemgate.protocols.anthropic import wire
from gemgate.protocols.anthropic.blocks import parts
from gemgate.protocols.anthropic.notes import Notes
from gemgate.protocols.anthropic.server_blocks import USE
from gemgate.protocols.anthropic.server_history import bare, code_of, code_results, own_ids
from gemgate.protocols.shared.images import text_and_images
from gemgate.protocols.shared.raw_json import arguments, is_given, is_object, is_string, plain_text
from gemgate.protocols.shared.seals import CALL, CODE, opened


class ModelTurn:
    """Reads one message of the model's, block by block.

    `calls` takes the signatures of calls, by id: a client may move a thinking block, or a call to the next message.
    """

    def __init__(self, blocks: Sequence[wire.Block], notes: Notes, calls: dict[str, Signature]) -> None:
        self._notes = notes
        self._calls = calls
        self._codes: dict[str, Signature] = {}
        """Signatures of code, by id."""
        served = any(block.tool_use_id is not None for block in blocks)
        self._results: Mapping[str, CodeResult] = code_results(blocks) if served else {}
        self._own = own_ids(blocks) if served else frozenset[str]()

    def parts(self, block: wire.Block, path: str) -> Sequence[Part]:
        """Translate the next block, which stands at `path`."""
        match block.type:
            case "text" | None if block.text is not None:
                return text_and_images(block.text)
            case "thinking":
                return self._thinking(block.signature or "", block.thinking or "")
            case "redacted_thinking":
                return self._thinking(plain_text(block.data), "")
            case "tool_use":
                return (_call(block, path),)
            case _:
                return self._served(block, path)

    def _thinking(self, seal_text: str, thought: str) -> Sequence[Part]:
        seal = opened(seal_text)
        if seal is None or seal.signature is None:
            return ()
        self._notes.families.add(seal.signature.family)
        if seal.target == "thought":
            return (Thought(thought, seal.signature),)
        if seal.target.startswith(CALL):
            self._calls[seal.target.removeprefix(CALL)] = seal.signature
        elif seal.target.startswith(CODE):
            self._codes[seal.target.removeprefix(CODE)] = seal.signature
        return ()

    def _served(self, block: wire.Block, path: str) -> Sequence[Part]:
        """Give code and its result as such if both are there; other tools of a server as the text they say."""
        if block.id in self._own or block.tool_use_id in self._own:
            return ()
        code = code_of(block) if block.id in self._results else None
        if code is not None:
            signature = self._codes.get((block.id or "").removeprefix(USE))
            return (Code(bare(block.id or ""), "python", code, signature),)
        if block.type == "code_execution_tool_result" and block.tool_use_id in self._results:
            return (self._results[block.tool_use_id or ""],)
        return parts(block, path, self._notes, history=True)


def signed(messages: Sequence[Message], calls: dict[str, Signature]) -> list[Message]:
    """Put the signatures of calls where they belong; one whose call is gone is of no use."""
    return [Message(message.role, tuple(_signed(part, calls) for part in message.parts)) for message in messages]


def _signed(part: Part, calls: dict[str, Signature]) -> Part:
    return replace(part, signature=calls.pop(part.id)) if isinstance(part, ToolCall) and part.id in calls else part


def _call(block: wire.Block, path: str) -> ToolCall:
    if not block.name:
        raise InvalidRequest("A call must name its tool.", param=f"{path}.name")
    if is_given(block.input) and not (is_object(block.input) or is_string(block.input)):
        raise InvalidRequest("The input of a tool must be an object.", param=f"{path}.input")
    return ToolCall(block.id or "", block.name, arguments(block.input, f"{path}.input"))
