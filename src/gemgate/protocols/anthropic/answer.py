"""Events → the steps in which an answer is written: the one machine of streamed and whole messages.

Texts and thoughts stay open until something else begins, so that neighbours run into one block. A block of thinking
always ends with a signature, since clients throw unsigned ones away: that of the call or code it leads to, sealed
together with which one that is (notes §5.3). Signatures of texts stay on the server: clients trim and join texts, some
read the first block of an answer and some the last, so that no place is safe for them.
"""

import re
from collections.abc import Callable, Iterable
from typing import Literal, assert_never

from msgspec import json
from msgspec.structs import replace

from gemgate.errors import UpstreamError
from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Citations,
    Event,
    Failure,
    Finish,
    Logprobs,
    PagesRead,
    ResponseStart,
    Usage,
)
from gemgate.hub.parts import (
    Code,
    CodeResult,
    Media,
    Opaque,
    Part,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from gemgate.protocols.anthropic.cited import Sources
from gemgate.protocols.anthropic.ending import Ending, ending
from gemgate.protocols.anthropic.server_blocks import MADE, USE, code_result, page_result, search_result, server_use
from gemgate.protocols.anthropic.steps import Block, Steps
from gemgate.protocols.anthropic.style import Style
from gemgate.protocols.shared.arguments import Arguments
from gemgate.protocols.shared.media_text import media_text
from gemgate.protocols.shared.seals import UNSIGNED, Seal, sealed, target

FITTING = re.compile(r"[A-Za-z0-9_-]{1,40}")
"""What may follow the prefix in an id of a tool that the server runs."""

encode = json.Encoder().encode


class Answer:
    """The state of one answer. The format has one choice: of several only the first is written.

    `family` names the models that understand its signatures. Searches and pages read are told at the end, since only
    then they are known.
    """

    __slots__ = (
        "_arguments",
        "_called",
        "_codes",
        "_ending",
        "_family",
        "_heard",
        "_new_id",
        "_open",
        "_part",
        "_pieces",
        "_said",
        "_steps",
        "_style",
        "sources",
        "usage",
    )

    def __init__(self, steps: Steps, new_id: Callable[[], str], style: Style, family: str) -> None:
        self._steps = steps
        self._new_id = new_id
        self._style = style
        self._family = family
        self._open: Literal["text", "thinking"] | None = None
        """The kind of the block that may go on."""
        self._part: Part | None = None
        self._pieces: list[str] = []
        self._arguments = Arguments("")
        self._codes: list[tuple[str, str]] = []
        """Code that waits for its result: its own id, and that of its block."""
        self._said = False
        self._called = False
        self._ending: Ending | None = None
        self.sources = Sources()
        self._heard = self.sources.said
        self.usage = Usage()

    @property
    def ending(self) -> Ending:
        """How the answer has ended; raises `UpstreamError` if it has not."""
        if self._ending is None:
            raise UpstreamError("The upstream's answer broke off before its end. Try again.")
        return self._ending

    def feed(self, event: Event) -> None:
        """Take an event; raises the error of a `Failure`."""
        match event:
            case Usage():
                self.usage = event
            case Failure():
                raise event.error
            case ResponseStart() | Logprobs():
                pass  # the frame around the blocks, and nothing this format can show
            case _ if event.choice != 0:
                pass
            case BlockStart():
                self._begin(event.part)
            case BlockDelta():
                self.delta(event.text)
            case BlockEnd():
                self._end(event.signature)
            case Citations():
                self.sources.cite(event)
            case PagesRead():
                self.sources.read(event.pages)
            case Finish():
                self._finish(event)
            case _:
                assert_never(event)

    def delta(self, text: str) -> None:
        """Add to the part that has begun."""
        part = self._part
        kind = type(part)
        if kind is Text:
            if self._open == "text":
                self._heard.append(text)
                self._steps.add(text)
            else:
                self._text(text)
        elif kind is Thought:
            self._think(text)
        elif kind is ToolCall:
            if piece := self._arguments.add(text):
                self._steps.add(piece)
        elif part is not None:
            self._pieces.append(text)

    # ── parts ──

    def _begin(self, part: Part) -> None:
        self._part, self._pieces = part, []
        match part:
            case Text():
                self._text(part.text)
            case Thought():
                if part.signature is not None:
                    self._close()  # its block holds nothing else
                self._think(part.text)
            case ToolCall():
                self._part = self._call(part)
            case Media() | Code() | CodeResult() | ToolResult() | Opaque():
                pass  # written when complete, or nothing this format can show
            case _:
                assert_never(part)

    def _end(self, late: Signature | None) -> None:
        part, self._part = self._part, None
        match part:
            case Thought():
                self._sign(part, late or part.signature)
            case ToolCall():
                if rest := self._arguments.rest():
                    self._steps.add(rest)
                self._steps.close()
                self._sign(part, late)
            case Media():
                self._media(part)
            case Code():
                self._code(part, late)
            case CodeResult():
                self._code_result(part)
            case Text() | ToolResult() | Opaque() | None:
                pass  # written, or nothing this format can show
            case _:
                assert_never(part)

    def _text(self, text: str) -> None:
        if text:
            self._show(text)
            self._heard.append(text)

    def _show(self, text: str) -> None:
        if self._open != "text":
            self._close()
            self._steps.open({"type": "text", "text": ""})
            self.sources.begin()
            self._open = "text"
            self._said = True
        self._steps.add(text)

    def _think(self, text: str) -> None:
        if text and self._style.thinking != "off":
            self._open_thinking()
            self._steps.add(text)

    def _call(self, part: ToolCall) -> ToolCall:
        call = part if part.id else replace(part, id=f"toolu_{self._new_id()}")
        self._sign(call, call.signature)
        self._close()
        self._said = self._called = True
        self._steps.open({"type": "tool_use", "id": call.id, "name": call.name, "input": {}})
        self._arguments = Arguments(call.arguments)
        return call

    def _media(self, part: Media) -> None:
        if not part.thought:  # else a draft, not the answer
            self._show(media_text(part, self._open != "text"))

    def _code(self, part: Code, late: Signature | None) -> None:
        known = part if FITTING.fullmatch(part.id) else replace(part, id=self._made_id())
        self._sign(known, late or part.signature)
        self._run_code(part.id, known.id, part.code + "".join(self._pieces))

    def _code_result(self, part: CodeResult) -> None:
        if not self._codes:
            self._run_code(part.id, self._made_id(), "")  # a result belongs to something
        ids = [code_id for code_id, _ in self._codes]
        _, use_id = self._codes.pop(ids.index(part.id) if part.id in ids else 0)
        self._complete(code_result(use_id, part.outcome, part.output + "".join(self._pieces)))

    def _run_code(self, code_id: str, shown_id: str, code: str) -> None:
        use_id = self._use("code_execution", {"code": code}, f"{USE}{shown_id}")
        self._codes.append((code_id, use_id))

    # ── the end ──

    def _finish(self, finish: Finish) -> None:
        """Nothing has changed where this raises: another answer may follow in the place of one that broke off."""
        self._ending = ending(finish, said=self._said, called=self._called)
        searched = bool(self.sources.queries)
        if self._open == "text" and not (searched and self._style.server_tools):
            self._cite(self.sources.rest())  # those of earlier texts, which could not be amended any more
        self._close()
        if searched and (self._style.server_tools or (self._called and self.sources.are_waiting)):
            self._searches()
        if self._style.server_tools:
            self._pages()

    def _searches(self) -> None:
        first, *more = self.sources.queries
        given: dict[str, object] = {"query": first}
        if more:
            given["queries"] = [first, *more]
        self._complete(search_result(self._use("web_search", given), self.sources.found))

    def _pages(self) -> None:
        for page in self.sources.pages.values():
            use_id = self._use("web_fetch", {"url": page.url})
            self._complete(page_result(use_id, page))

    # ── blocks ──

    def _open_thinking(self) -> None:
        if self._open != "thinking":
            self._close()
            self._steps.open({"type": "thinking", "thinking": "", "signature": ""})
            self._open = "thinking"

    def _sign(self, part: Thought | ToolCall | Code, signature: Signature | None) -> None:
        """Put a part's signature on the thinking that leads to it, or on an empty one made for it."""
        thinking = self._style.thinking
        if signature is None or thinking == "off" or (thinking == "unasked" and self._open != "thinking"):
            return
        self._open_thinking()
        self._seal(Seal(target(part), replace(signature, family=self._family)))

    def _seal(self, seal: Seal) -> None:
        self._steps.sign(sealed(seal))
        self._steps.close()
        self._open = None

    def _close(self) -> None:
        match self._open:
            case "text":
                self._cite(self.sources.due())
                self._steps.close()
            case "thinking":
                self._seal(UNSIGNED)
            case None:
                pass
            case _:
                assert_never(self._open)
        self._open = None

    def _cite(self, citations: Iterable[dict[str, object]]) -> None:
        for citation in citations:
            self._steps.cite(citation)

    def _use(self, name: str, given: dict[str, object], use_id: str = "") -> str:
        """Write the use of a tool that the upstream has run, and give its id."""
        self._close()
        self._said = True
        use_id = use_id or f"{USE}{self._made_id()}"
        self._steps.open(server_use(use_id, name))
        self._steps.add(encode(given).decode())
        self._steps.close()
        return use_id

    def _made_id(self) -> str:
        return f"{MADE}{self._new_id()}"

    def _complete(self, block: Block) -> None:
        self._close()
        self._steps.open(block)
        self._steps.close()
