"""Functions for a model whose chat template knows none: told in the system text, called as one line of JSON."""

import secrets
import string
from collections.abc import Sequence

import msgspec

from gemgate.hub.call import Function, Generate
from gemgate.hub.parts import ToolCall, ToolResult
from gemgate.upstreams.embedded.grammar import Grammar, SchemaError, as_json, literal

# Anything but a call, which begins with a brace.
_TEXT = r"[^{] [\x00-\U0010FFFF]*"
_ID_CHARACTERS = string.ascii_letters + string.digits


class _Called(msgspec.Struct):
    name: str
    arguments: msgspec.Raw


def callable_functions(call: Generate) -> tuple[tuple[Function, ...], bool]:
    """Give the functions that the model may call now, and whether it must call one."""
    functions = tuple(tool for tool in call.tools if isinstance(tool, Function))
    choice = call.tool_choice
    if choice is None:
        return functions, False
    if choice.mode == "none":
        return (), False
    if choice.names:
        functions = tuple(function for function in functions if function.name in choice.names)
    return functions, choice.mode == "required"


def instructions(functions: Sequence[Function], forced: bool) -> str:
    """Give the system text that tells the model of its functions."""
    lines = [
        f'{{"name": {as_json(f.name)}, "description": {as_json(f.description)}, "parameters": {f.parameters or "{}"}}}'
        for f in functions
    ]
    otherwise = "" if forced else "\nIf no function is needed, answer in plain text."
    return (
        "You can call these functions:\n"
        + "\n".join(lines)
        + '\nTo call one, answer only with JSON: {"name": the function\'s name, "arguments": its arguments}.'
        + otherwise
    )


def call_grammar(functions: Sequence[Function], forced: bool) -> tuple[str, frozenset[str]]:
    """Give the grammar of an answer and the schema keywords it cannot bind; raises `SchemaError`."""
    grammar = Grammar()
    calls: list[str] = []
    for function in functions:
        try:
            arguments = grammar.schema(function.parameters) if function.parameters else '"{}"'
        except SchemaError as error:
            raise SchemaError(f"the parameters of {function.name!r} have no grammar: {error}") from None
        head = f'{{"name": {as_json(function.name)}, "arguments": '
        calls.append(f'{literal(head)} {arguments} "}}"')
    return grammar.text(" | ".join(calls if forced else [*calls, _TEXT])), frozenset(grammar.ignored)


def read_call(text: str) -> ToolCall | None:
    """Read a call as the grammar lets the model write it; `None` if it broke off."""
    try:
        called = msgspec.json.decode(text, type=_Called)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    identifier = "".join(secrets.choice(_ID_CHARACTERS) for _ in range(24))
    return ToolCall(f"call_{identifier}", called.name, bytes(called.arguments).decode())


def call_text(call: ToolCall) -> str:
    """Write an earlier call as the model would have."""
    return f'{{"name": {as_json(call.name)}, "arguments": {call.arguments or "{}"}}}'


def result_text(result: ToolResult) -> str:
    """Write what a function gave back."""
    return f"Result of {result.name or 'the function'}: {result.response}"
