"""The messages of a chat completion request → the hub's."""

from collections.abc import Sequence

from msgspec import UNSET, Struct, json
from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import Media, Message, Part, Role, Signature, Text, ToolCall, ToolResult
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.openai_chat.content import parts
from gemgate.protocols.openai_chat.marks import last_signed, signature, signed
from gemgate.protocols.shared.images import OPENING, text_and_images
from gemgate.protocols.shared.located import is_remote
from gemgate.protocols.shared.media_slots import address
from gemgate.protocols.shared.native import GOOGLE
from gemgate.protocols.shared.raw_json import arguments, object_text

FOREIGN_MARK = "__thought__"
"""Another gateway packs signatures into the ids of calls, behind this word (notes §5.3)."""

ROLES: dict[str, Role] = {"user": "user", "assistant": "model"}


class Conversation(Struct, frozen=True):
    """What was said.

    `paths` tells where in the request each of the media stood, `remote` whether any is at an address, `listed` whether
    any content is a list of parts.
    """

    system: tuple[Part, ...]
    messages: tuple[Message, ...]
    dropped: tuple[Dropped, ...]
    paths: dict[str, str]
    remote: bool
    listed: bool


def conversation(given: Sequence[wire.Message]) -> Conversation:
    """Leading system messages are the system text; later ones stay where they are, as the user's words."""
    reading = _Reading()
    for number, message in enumerate(given):
        content = message.content
        role = ROLES.get(message.role)
        if (
            role is not None
            and type(content) is str
            and _is_bare(message)
            and (role == "user" or OPENING not in content)
        ):
            # By far the most frequent: text, and nothing else.
            if reading.results:
                reading.close()
            reading.messages.append(Message(role, (Text(content),) if content else ()))
        else:
            reading.add(message, f"messages.{number}")
    reading.close()
    return Conversation(
        system=tuple(reading.system),
        messages=tuple(reading.messages),
        dropped=tuple(reading.dropped),
        paths=reading.paths,
        remote=reading.remote,
        listed=reading.listed,
    )


class _Reading:
    """What is known of a conversation while it is read."""

    __slots__ = ("dropped", "listed", "messages", "names", "paths", "remote", "results", "system")

    def __init__(self) -> None:
        self.system: list[Part] = []
        self.messages: list[Message] = []
        self.dropped: list[Dropped] = []
        self.paths: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.remote = False
        self.listed = False
        self.results: list[ToolResult] = []
        """Those of the step that is being read; `messages` does not hold them yet."""

    def add(self, message: wire.Message, path: str) -> None:
        """Append one message."""
        self.listed = self.listed or type(message.content) is list
        match message.role:
            case "system" | "developer" if not self.messages and not self.results:
                places: list[str] = []
                made = parts(message.content, path, places)
                self._note(made, "system", len(self.system), places)
                self.system += made
            case "user" | "system" | "developer":
                places = []
                self._append("user", parts(message.content, path, places), places)
            case "assistant":
                places = []
                self._append("model", self._assistant(message, path, places), places)
            case "tool" | "function":
                result = _result(message, self.names, path)
                self._note((result,), f"messages.{len(self.messages)}.parts", len(self.results), [f"{path}.content"])
                self.results.append(result)
            case role:
                raise InvalidRequest(
                    f"{role[:80]!r} is no role. It is one of system, developer, user, assistant, tool.",
                    param=f"{path}.role",
                )

    def close(self) -> None:
        """Put the results of one step into one message."""
        if self.results:
            self.messages.append(Message("user", tuple(self.results)))
            self.results.clear()

    def _append(self, role: Role, made: Sequence[Part], places: Sequence[str]) -> None:
        self.close()
        self._note(made, f"messages.{len(self.messages)}.parts", 0, places)
        self.messages.append(Message(role, tuple(made)))

    def _note(self, made: Sequence[Part], place: str, first: int, places: Sequence[str]) -> None:
        """Remember where media and results came from; `places` has one path for each."""
        if not places:
            return
        noted = ((index, part) for index, part in enumerate(made, first) if isinstance(part, (Media, ToolResult)))
        for (index, part), given in zip(noted, places, strict=True):
            self.paths[f"{place}.{index}"] = given
            self.remote = self.remote or is_remote(part)

    def _assistant(self, message: wire.Message, path: str, places: list[str]) -> list[Part]:
        if message.audio is not UNSET and bytes(message.audio) != b"null":
            self.dropped.append(Dropped(f"{path}.audio", "spoken answers are not kept; their text is"))
        made = _said(message, path, places)
        if message.refusal and not made:  # beside an answer it tells why that was broken off
            made.append(Text(message.refusal))
        for number, image in enumerate(message.images or ()):
            places.append(f"{path}.images.{number}")
            media = address(image.image_url, places[-1])
            made.append(replace(media, signature=signature(image.extra_content)))
        for number, call in enumerate(message.tool_calls or ()):
            made.append(_call(call, f"{path}.tool_calls.{number}"))
            self._name(made[-1])
        if message.function_call is not None:
            made.append(_function_call("", message.function_call, None, f"{path}.function_call"))
            self._name(made[-1])
        return made

    def _name(self, part: Part) -> None:
        assert isinstance(part, ToolCall)
        self.names[part.id] = part.name


def _is_bare(message: wire.Message) -> bool:
    """Whether a message is its content alone."""
    return (
        message.tool_calls is None
        and message.extra_content is None
        and message.function_call is None
        and message.images is None
        and message.refusal is None
        and message.provider_specific_fields is None
        and message.audio is UNSET
    )


def _said(message: wire.Message, path: str, places: list[str]) -> list[Part]:
    """Read the content of an assistant's message, with the signatures of its parts."""
    content, extra = message.content, message.extra_content
    if extra is not None and extra.gemgate is not None:
        content = _one_text(content)
    if isinstance(content, str):
        found = signed(content, extra) if content or extra is not None else []
        places += [f"{path}.content" for part in found if isinstance(part, Media)]
    else:
        found = last_signed(parts(content, path, places, text_and_images), signature(extra))
    fields = message.provider_specific_fields
    if fields is not None and fields.thought_signatures and extra is None:
        mark = fields.thought_signatures[-1]
        return last_signed(found, Signature(GOOGLE, mark)) if mark and found else found
    return found


def _one_text(content: wire.Content) -> wire.Content:
    """Put texts together of which a client has made a list: offsets count in the whole; none is an empty one."""
    if not isinstance(content, list):
        return "" if content is None else content
    texts = [part.text for part in content if part.type in ("text", "output_text") and part.extra_content is None]
    found = [text for text in texts if text is not None]
    return "".join(found) if found and len(found) == len(content) else content


def _call(call: wire.ToolCall, path: str) -> ToolCall:
    call_id, _, packed = (call.id or "").partition(FOREIGN_MARK)
    mark = signature(call.extra_content) or _foreign(call.provider_specific_fields, packed)
    if call.custom is not None:
        if not call.custom.name:
            raise InvalidRequest("A call must name its tool.", param=f"{path}.custom.name")
        arguments = json.encode({"input": call.custom.input or ""}).decode()
        return ToolCall(call_id, call.custom.name, arguments, mark)
    if call.function is None:
        raise InvalidRequest("A call is one of a function or of a custom tool.", param=path)
    return _function_call(call_id, call.function, mark, f"{path}.function")


def _function_call(call_id: str, function: wire.FunctionCall, mark: Signature | None, path: str) -> ToolCall:
    if not function.name:
        raise InvalidRequest("A call must name its function.", param=f"{path}.name")
    mark = mark or signature(function.extra_content) or _foreign(function.provider_specific_fields, "")
    return ToolCall(call_id, function.name, arguments(function.arguments, f"{path}.arguments"), mark)


def _foreign(fields: wire.ProviderFields | None, packed: str) -> Signature | None:
    carried = (fields.thought_signature if fields is not None else None) or packed
    return Signature(GOOGLE, carried) if carried else None


def _result(message: wire.Message, names: dict[str, str], path: str) -> ToolResult:
    content = parts(message.content, path, [])
    text = "".join(part.text for part in content if isinstance(part, Text))
    media = tuple(part for part in content if isinstance(part, Media))
    call_id = (message.tool_call_id or "").partition(FOREIGN_MARK)[0]
    known = names.get(call_id, "")
    # Without an id its own name tells best which call it answers.
    name = (known or message.name) if call_id else (message.name or known)
    return ToolResult(call_id, name or "", object_text(text, "output"), media)
