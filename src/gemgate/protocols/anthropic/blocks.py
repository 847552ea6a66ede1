"""The blocks of a message's content → the hub's parts: those that either side, a result or the system may hold."""

from collections.abc import Sequence

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Part, Text
from gemgate.protocols.anthropic import wire
from gemgate.protocols.anthropic.notes import Notes
from gemgate.protocols.anthropic.server_history import RESULT, told
from gemgate.protocols.anthropic.sources import media
from gemgate.protocols.shared.nested import read, read_or_none
from gemgate.protocols.shared.raw_json import decode_string, is_given, is_object, plain_text

UNREADABLE = "there is nothing in it that the model could read"
KNOWN = "text, image, document, search_result, tool_use or tool_result"
NO_CONTAINER = "there is no container upstream to put files into"


def listed(content: wire.Content) -> Sequence[wire.Block]:
    """Give content as blocks."""
    if isinstance(content, str):
        return (wire.Block("text", content),) if content else ()
    if content is None:
        return ()
    return content if isinstance(content, list) else (content,)


def parts(block: wire.Block, path: str, notes: Notes, *, history: bool = False) -> list[Part]:
    """Translate one block, which stands at `path`; raises `InvalidRequest` for media that cannot be sent.

    What is unknown becomes the text that it holds. What holds none is refused, or recorded as lost where it is part of
    the other side's `history`, which the client has not written.
    """
    match block.type:
        case "text" | None if block.text is not None:
            return [Text(block.text)] if block.text else []
        case "text" | "thinking" | "redacted_thinking":
            return []  # a thought that is not the model's own is of no use to it
        case "document":
            return _document(block, path, notes)
        case "search_result":
            return _search_result(block, path, notes)
        case "tool_reference":
            name = block.tool_name or block.name
            notes.named.add(name or "")
            return [Text(f"The tool {name} can be used.")] if name else []
        case "tool_addition" | "tool_removal":
            _change_tools(block, path, notes)
            return []
        case "container_upload":
            notes.lose(path, NO_CONTAINER)
            return []
        case "image":
            return _media(block, path, notes)
        case _ if is_given(block.source) and is_object(block.source):
            return _media(block, path, notes)
        case _:
            return _told(block, path, notes, history=history)


def _media(block: wire.Block, path: str, notes: Notes) -> list[Part]:
    if is_given(block.transformations):
        notes.lose(f"{path}.transformations", "media are sent as they are")
    where = f"{path}.source"
    source = read(wire.decode_source, block.source, where) if is_given(block.source) else wire.Source()
    return [media(source, where)]


def _told(block: wire.Block, path: str, notes: Notes, *, history: bool) -> list[Part]:
    found = told(block)
    kind = block.type or ""
    if found.text is None and not (history or kind.endswith(RESULT)):
        words = f"Blocks of type {kind[:80]!r} are not known" if kind else "A block must say its type"
        raise InvalidRequest(f"{words}. Send {KNOWN}.", param=path, code="unsupported_content")
    if found.text is None:
        notes.lose(path, UNREADABLE)
        return []
    if found.is_cut:
        notes.lose(path, "it is long; the model reads its beginning")
    return [Text(found.text)]


def _document(block: wire.Block, path: str, notes: Notes) -> list[Part]:
    """Give a document after its title and what is said about it."""
    _note_citations(block, path, notes)
    title, context = plain_text(block.title), plain_text(block.context)
    lead = "\n".join(line for line in (f"Document: {title}" if title else "", context) if line)
    made: list[Part] = [Text(lead)] if lead else []
    where = f"{path}.source"
    source = read(wire.decode_source, block.source, where) if is_given(block.source) else wire.Source()
    if is_given(source.content):
        content = read(wire.decode_content, source.content, f"{where}.content")
        for number, inner in enumerate(listed(content)):
            made += parts(inner, f"{where}.content.{number}", notes)
    elif source.type == "text" and is_given(source.data):
        text = read(decode_string, source.data, f"{where}.data")
        made += [Text(text)] if text else []
    else:
        made.append(media(source, where, title))
    return made


def _search_result(block: wire.Block, path: str, notes: Notes) -> list[Part]:
    """Give a search result as text that tells where it is from; its content is text alone."""
    _note_citations(block, path, notes)
    title, source = plain_text(block.title), plain_text(block.source)
    lines = [f"Search result: {title}" if title else "", f"Source: {source}" if source else ""]
    if is_given(block.content):
        lines.append("")
        content = read(wire.decode_content, block.content, f"{path}.content")
        lines += (inner.text for inner in listed(content) if inner.text)
    text = "\n".join(lines).strip()
    return [Text(text)] if text else []


def _note_citations(block: wire.Block, path: str, notes: Notes) -> None:
    wish = read_or_none(wire.decode_citations, block.citations) if is_given(block.citations) else None
    if wish is not None and wish.enabled:
        notes.lose_citations(f"{path}.citations")


def _change_tools(block: wire.Block, path: str, notes: Notes) -> None:
    """Note which tools are left; the last word about one counts, and none needs to be added to be offered."""
    if not is_given(block.tool):
        return
    change = read(wire.decode_change, block.tool, f"{path}.tool")
    if is_given(change.definition):
        notes.defined.append((f"{path}.tool.definition", change.definition))
        members = read(wire.decode_tool, change.definition, f"{path}.tool.definition")
        notes.withdrawn.discard(members.name or "")
        notes.named.add(members.name or "")
    name = change.name or change.tool_name
    if name and block.type == "tool_removal":
        notes.withdrawn.add(name)
    elif name:
        notes.withdrawn.discard(name)
        notes.named.add(name)
