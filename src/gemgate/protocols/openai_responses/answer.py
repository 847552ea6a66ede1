"""Events → the items of a response: the one machine of streamed and whole answers.

A message and a reasoning item stay open until something else begins, so that neighbours run into one item. A signature
is sealed into the reasoning that leads to its call or code, together with which one that is (notes §5.3), or into an
empty one made for it. Signatures of texts and media stay on the server.
"""

import re
from collections.abc import Callable
from typing import assert_never

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
from gemgate.hub.fold import closed
from gemgate.hub.parts import (
    Code,
    CodeResult,
    Inline,
    Media,
    Opaque,
    Part,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from gemgate.protocols.openai_responses.annotations import Sources
from gemgate.protocols.openai_responses.code_run import CodeRun
from gemgate.protocols.openai_responses.ending import Ending, ending
from gemgate.protocols.openai_responses.function_call import FunctionCall
from gemgate.protocols.openai_responses.held_call import HeldCall
from gemgate.protocols.openai_responses.hosted import CODE_ID, MADE
from gemgate.protocols.openai_responses.image_call import drafts_asked, write_image
from gemgate.protocols.openai_responses.message import Message, Status
from gemgate.protocols.openai_responses.messages import Messages
from gemgate.protocols.openai_responses.output import Output
from gemgate.protocols.openai_responses.reasoning import Reasoning
from gemgate.protocols.openai_responses.refusal import write_refusal
from gemgate.protocols.openai_responses.searches import write_searches
from gemgate.protocols.openai_responses.style import Called, Style
from gemgate.protocols.shared.media_text import media_text
from gemgate.protocols.shared.seals import Seal, sealed, target

FITTING = re.compile(r"[A-Za-z0-9_-]{1,40}")
"""What may follow the prefix in the id of code."""
FUNCTION = Called()


class Answer:
    """The state of one answer. The format has one choice: of several only the first is written.

    `family` names the models that understand its signatures, `container_id` the place where code is said to run.
    """

    __slots__ = (
        "_add",
        "_call",
        "_called",
        "_container_id",
        "_drafts",
        "_drafts_asked",
        "_ending",
        "_family",
        "_messages",
        "_more",
        "_new_id",
        "_open",
        "_output",
        "_part",
        "_pieces",
        "_ran",
        "_said",
        "_sources",
        "_style",
        "_target",
        "usage",
    )

    def __init__(
        self, output: Output, new_id: Callable[[], str], style: Style, *, family: str, container_id: str
    ) -> None:
        self._output = output
        self._new_id = new_id
        self._style = style
        self._family = family
        self._container_id = container_id
        self._open: Message | Reasoning | CodeRun | None = None
        """The item that may go on."""
        self._part: Part | None = None
        self._call: FunctionCall | HeldCall | None = None
        self._add: Callable[[str], None] | None = None
        """Takes the deltas of the part that has begun."""
        self._more: Callable[[str], None] | None = None
        """Takes them too, where parts are kept."""
        self._pieces: list[str] = []
        self._target = ""
        """The call or code that has begun, as seals name it."""
        self._ran: set[str] = set()
        """Ids of code."""
        self._drafts: list[Media] = []
        self._drafts_asked = drafts_asked(style.echo.get("tools"))
        self._said = self._called = False
        self._ending: Ending | None = None
        self._sources = Sources()
        self._messages = Messages(output, self._sources)
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
            case ResponseStart():
                pass  # the frame around the items
            case _ if event.choice != 0:
                pass
            case BlockStart():
                self._begin(event.part)
            case BlockDelta():
                self.delta(event.text)
            case BlockEnd():
                self._end(event.signature)
            case Citations():
                self._sources.cite(event)
            case PagesRead():
                self._sources.read(event.pages)
            case Logprobs():
                self._messages.weigh(event.tokens)
            case Finish():
                self._finish(event)
            case _:
                assert_never(event)

    def delta(self, text: str) -> None:
        """Add to the part that has begun."""
        if self._add is not None:
            self._add(text)
        if self._more is not None:
            self._more(text)

    # ── parts ──

    def _begin(self, part: Part) -> None:
        self._part, self._pieces = part, []
        self._add = None
        if self._output.keeps_parts:
            self._more = self._pieces.append
        match part:
            case Text():
                self._add = self._text
                self._text(part.text)
            case Thought():
                self._add = self._think
                self._begin_thought(part)
            case ToolCall():
                self._begin_call(part)
            case Code():
                self._begin_code(part)
            case CodeResult() if self._more is None:
                self._add = self._pieces.append
            case CodeResult() | Media() | ToolResult() | Opaque():
                pass  # written when complete, or nothing this format can show
            case _:
                assert_never(part)

    def _end(self, late: Signature | None) -> None:
        part, self._part = self._part, None
        self._add = self._more = None
        match part:
            case Thought():
                self._sign("thought", late or part.signature)
            case ToolCall() if self._call is not None:
                self._call.end()
            case Code() if isinstance(self._open, CodeRun):
                self._open.run()
            case CodeResult():
                self._code_result(part)
            case Media():
                self._media(part)
            case _:
                pass  # written, or nothing this format can show
        if part is not None and self._output.keeps_parts:
            self._output.keep(self._signed(closed(part, "".join(self._pieces), late)))
        if late is not None and isinstance(part, (ToolCall, Code)):
            self._sign(self._target, late)  # in an item after that of the call, which is told already

    def _signed(self, part: Part) -> Part:
        """Say of a part that is kept which models understand its signature."""
        if isinstance(part, Opaque) or part.signature is None:
            return part
        return replace(part, signature=replace(part.signature, family=self._family))

    def _text(self, text: str) -> None:
        if text:
            message = self._message()
            message.add(text)
            self._add = message.add

    def _message(self) -> Message:
        if not isinstance(self._open, Message):
            self._close()
            self._open = self._messages.begin(f"msg_{self._new_id()}")
            self._said = True
        return self._open

    def _begin_thought(self, part: Thought) -> None:
        if part.signature is not None:
            self._close()  # its item holds nothing else
        elif isinstance(self._open, Reasoning):
            self._open.next_thought()
        self._think(part.text)

    def _think(self, text: str) -> None:
        if text:
            self._reasoning().add(text)

    def _begin_call(self, part: ToolCall) -> None:
        call_id = part.id or f"call_{self._new_id()}"
        self._target = target(replace(part, id=call_id))
        self._sign(self._target, part.signature)
        self._close()
        self._said = self._called = True
        called = self._style.called.get(part.name, FUNCTION)
        if called.kind is None:
            known = self._function(called, part.name, call_id)
            self._call = FunctionCall(self._output, known, part.arguments)
        else:
            self._call = HeldCall(self._output, called, (self._new_id(), call_id), part.arguments)
        self._add = self._call.add

    def _function(self, called: Called, name: str, call_id: str) -> dict[str, object]:
        known: dict[str, object] = {
            "id": f"fc_{self._new_id()}",
            "type": "function_call",
            "call_id": call_id,
            "name": called.name or name,
        }
        return known | {"namespace": called.namespace} if called.namespace else known

    def _begin_code(self, part: Code) -> None:
        own = part.id if FITTING.fullmatch(part.id) and part.id not in self._ran else ""
        self._ran.add(own)
        self._target = target(replace(part, id=own))
        self._sign(self._target, part.signature)
        run = self._run_code(f"{CODE_ID}{own}" if own else self._made_code_id())
        run.add(part.code)
        self._add = run.add

    def _run_code(self, item_id: str) -> CodeRun:
        self._close()
        self._said = True
        self._open = run = CodeRun(self._output, item_id, self._container_id)
        return run

    def _made_code_id(self) -> str:
        return f"{CODE_ID}{MADE}{self._new_id()}"

    def _code_result(self, part: CodeResult) -> None:
        run = self._open
        if not isinstance(run, CodeRun) or run.over:
            run = self._run_code(self._made_code_id())  # a result belongs to something
            run.run()
        run.result(part.outcome, part.output + "".join(self._pieces))

    def _media(self, part: Media) -> None:
        is_image = part.mime_type.startswith("image/") and isinstance(part.source, Inline)
        if part.thought:  # a draft, not the answer
            if is_image and len(self._drafts) < self._drafts_asked:
                self._drafts.append(part)
        elif is_image and isinstance(self._open, CodeRun) and self._open.over:
            self._open.draw(part)
        elif is_image:
            self._close()
            self._said = True
            write_image(self._output, f"ig_{self._new_id()}", part, self._drafts)
            self._drafts = []
        else:
            opening = not isinstance(self._open, Message)
            self._message().insert(media_text(part, opening))

    # ── the end ──

    def _finish(self, finish: Finish) -> None:
        """Nothing has changed where this raises: another answer may follow in the place of one that broke off."""
        self._ending = ending(finish, said=self._said, called=self._called)
        self._messages.deal()
        self._close("completed" if self._ending.status == "completed" else "incomplete")
        self._messages.amend()
        if self._ending.refusal:
            write_refusal(self._output, f"msg_{self._new_id()}", self._ending.refusal)
        write_searches(self._output, self._sources, self._new_id)

    # ── items ──

    def _reasoning(self) -> Reasoning:
        if not isinstance(self._open, Reasoning):
            self._close()
            self._open = Reasoning(self._output, f"rs_{self._new_id()}")
        return self._open

    def _sign(self, place: str, signature: Signature | None) -> None:
        """Seal a part's signature into the reasoning that leads to it, or into an empty one made for it."""
        if signature is None or (self._style.reasoning == "unasked" and not isinstance(self._open, Reasoning)):
            return
        seal = Seal(place, replace(signature, family=self._family))
        self._reasoning().close(sealed(seal))
        self._open = None

    def _close(self, status: Status = "completed") -> None:
        match self._open:
            case Message() as message:
                self._messages.close(message, status)
            case Reasoning() as reasoning:
                reasoning.close(None)
            case CodeRun() as run:
                run.close()
            case None:
                pass
            case _:
                assert_never(self._open)
        self._open = None
