"""What a client asks for, whatever language it asked in."""

from typing import Literal

from msgspec import Struct

from gemgate.hub.parts import JsonText, Message, Part, Vendor

Effort = Literal["none", "minimal", "low", "medium", "high", "max"]
ToolMode = Literal["auto", "none", "required", "validated"]
BuiltInKind = Literal["web_search", "code_execution", "url_context", "maps", "image_generation"]


class Sampling(Struct, frozen=True, kw_only=True):
    """How tokens are chosen; `None` means the model's own default."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: int | None = None
    """How many alternatives to report with each token; 0 reports the chosen ones alone."""
    candidates: int = 1


class Reasoning(Struct, frozen=True, kw_only=True):
    """How much the model thinks, and whether its thoughts are shown.

    At most one of `effort` and `budget_tokens` is given; a budget of -1 leaves the amount to the model.
    """

    effort: Effort | None = None
    budget_tokens: int | None = None
    include_thoughts: bool | None = None


class Output(Struct, frozen=True, kw_only=True):
    """The form of the answer; `schema` is a JSON Schema and implies `json`."""

    modalities: tuple[str, ...] = ()
    json: bool = False
    schema: JsonText | None = None


class Function(Struct, frozen=True, kw_only=True):
    """A function that the client can run; `parameters` is a JSON Schema of an object, `strict` binds calls to it."""

    name: str
    description: str = ""
    parameters: JsonText | None = None
    strict: bool = False
    vendor: Vendor | None = None


class BuiltIn(Struct, frozen=True):
    """A tool that the upstream runs itself; `vendor` holds its settings."""

    kind: BuiltInKind
    vendor: Vendor | None = None


class OpaqueTool(Struct, frozen=True):
    """A tool that only its own format knows."""

    vendor: Vendor


Tool = Function | BuiltIn | OpaqueTool


class ToolChoice(Struct, frozen=True):
    """Whether the model may or must call, and which functions; no names means any."""

    mode: ToolMode = "auto"
    names: tuple[str, ...] = ()


class Generate(Struct, frozen=True, kw_only=True):
    """A request for an answer.

    `parallel_calls` is whether a reply may call more than one function. `vendor` is merged into the request last, by
    the codec of its format alone.
    """

    model: str
    messages: tuple[Message, ...]
    system: tuple[Part, ...] = ()
    sampling: Sampling = Sampling()
    reasoning: Reasoning = Reasoning()
    output: Output = Output()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_calls: bool = True
    stream: bool = False
    vendor: Vendor | None = None


class CountTokens(Struct, frozen=True):
    """How long would this request's prompt be?"""

    generate: Generate


Call = Generate | CountTokens
