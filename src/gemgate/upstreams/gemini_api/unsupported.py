"""Which parameter a 400 of the Gemini API says the model does not take.

The texts are Google's, from bug reports of many clients. A value that is merely out of range is the caller's mistake
and names nothing, but for thinking: there the caller cannot know each model's range.
"""

import re
from typing import Literal

import msgspec
from msgspec import Struct, json

from gemgate.upstreams.refusal import Parameter

NO = (
    r"(?:(?:is|are) (?:currently )?(?:not (?:enabled|supported|available|allowed)|unsupported)"
    r"|(?:is|are) only (?:enabled|supported|available)|cannot be combined)"
)
"""What Google says of a thing that a model does not take."""
NEAR = r"(?:[^.\n]|\.(?=\w)){0,60}?"
"""Within the same sentence."""


def _text(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


TEXTS: tuple[tuple[re.Pattern[str], Parameter], ...] = (
    (_text(r"Unknown name \\?\"(?:parameters|response)_?json_?schema\\?\""), "json_schema"),
    (_text(rf"\b(?:parameters|response)_?json_?schema\b{NEAR}{NO}"), "json_schema"),
    (_text(r"too many states for serving|too much branching"), "output.schema"),
    (_text(r"schema in GenerationConfig in the request exceeds"), "output.schema"),
    (_text(r"\bschema is too (?:complex|deep|large|long)|\bresponse[_ ]?schema is too"), "output.schema"),
    (_text(rf"\bresponse[_ ]?schema\b{NEAR}{NO}"), "output.schema"),
    (_text(r"Unknown name \S+ at 'generation_config\.response_schema"), "output.schema"),
    (_text(rf"\b(?:JSON mode|response[_ ]?mime[_ ]?type|controlled generation)\b{NEAR}{NO}"), "output"),
    (
        _text(r"Unknown name \\?\"(?:google_?search|google_?maps|code_?execution|url_?context)\\?\" at 'tools"),
        "tools.builtin",
    ),
    (_text(r"Tool use with function calling is unsupported"), "tools.builtin"),
    (_text(r"Multiple tools are supported only when they are all search tools"), "tools.builtin"),
    (_text(r"include_?server_?side_?tool_?invocations"), "tools.builtin"),
    (_text(rf"\bBuilt-in tools\b[^.\n]{{0,120}}?{NO}"), "tools.builtin"),
    (
        _text(
            r"\b(?:search grounding|google[_ ]?search(?:[_ ]retrieval)?|search as (?:a )?tool|grounding|google[_ ]?maps"
            rf"|code[_ ]?execution|url[_ ]?context|browse as (?:a )?tool|browse tool)\b{NEAR}{NO}"
        ),
        "tools.builtin",
    ),
    (_text(rf"\bthinking(?:\b|_){NEAR}(?:{NO}|\bis invalid|out of range|(?:cannot|can't|must) be)"), "reasoning"),
    (_text(r"\bBudget -?\d+ is invalid|only works in thinking mode"), "reasoning"),
    (_text(rf"does not support{NEAR}\bthinking(?:\b|_)|only set (?:only )?one of thinking"), "reasoning"),
    (_text(r"Unknown name \\?\"media_?resolution\\?\""), "media.detail"),
    (_text(rf"\bmedia[_ ]?resolution\b{NEAR}{NO}"), "media.detail"),
    (_text(rf"\b(?:presence|frequency)?[_ ]?penalty\b{NEAR}{NO}"), "sampling.penalties"),
    (
        _text(rf"\b(?:multiple candidates|candidate_?count)\b{NEAR}{NO}|\bcandidate_?count must be 1\b"),
        "sampling.candidates",
    ),
    (_text(r"\bonly one candidate\b"), "sampling.candidates"),
    (_text(rf"\b(?:response_?)?logprobs\b{NEAR}{NO}"), "sampling.logprobs"),
    (_text(rf"\bseed\b{NEAR}{NO}"), "sampling.seed"),
    (_text(rf"\bstop[_ ]?sequences?\b{NEAR}{NO}"), "sampling.stop"),
    (_text(rf"\b(?:temperature|top[_-]?p|top[_-]?k)\b{NEAR}{NO}"), "sampling.choosing"),
)
"""What is said → what is meant; the first that fits counts."""

FIELDS: dict[str, Parameter] = {
    "temperature": "sampling.choosing",
    "topp": "sampling.choosing",
    "topk": "sampling.choosing",
    "presencepenalty": "sampling.penalties",
    "frequencypenalty": "sampling.penalties",
    "candidatecount": "sampling.candidates",
    "responselogprobs": "sampling.logprobs",
    "logprobs": "sampling.logprobs",
    "seed": "sampling.seed",
    "stopsequences": "sampling.stop",
    "thinkingconfig": "reasoning",
    "includethoughts": "reasoning",
    "thinkingbudget": "reasoning",
    "thinkinglevel": "reasoning",
    "responsemimetype": "output",
    "responseschema": "output.schema",
    "mediaresolution": "media.detail",
}
"""Fields of `generationConfig` that an API version may not know, without case and underscores."""

UNKNOWN_FIELD = _text(r"Unknown name \\?\"(\w+)\\?\" at '(?:request\.)?generation_config(?:\.thinking_config)?'")
OF_THE_CLIENT = re.compile(r"https?://\S+|`[^`\n]*`|\[[^\]\n]*\]|properties\.\w+")
"""Addresses, and names of functions and properties: whatever they say, Google does not say it."""


class _Violation(Struct):
    description: str = ""


class _Detail(Struct):
    violations: list[_Violation] = msgspec.field(default_factory=list[_Violation], name="fieldViolations")


class _Error(Struct):
    details: list[_Detail] = []


class _Envelope(Struct):
    error: _Error


def unsupported(message: str, body: bytes) -> Parameter | Literal[""]:
    """Find the parameter that an error of status 400 names, in its message or in the violations of its body."""
    for text in (message, *_violations(body)):
        found = _named(text)
        if found:
            return found
    return ""


def _named(text: str) -> Parameter | Literal[""]:
    field = UNKNOWN_FIELD.search(text)
    if field is not None:
        known = FIELDS.get(field[1].replace("_", "").lower())
        if known is not None:
            return known
    said = OF_THE_CLIENT.sub("", text)
    for pattern, parameter in TEXTS:
        if pattern.search(said):
            return parameter
    return ""


def _violations(body: bytes) -> list[str]:
    text = body.strip()
    if text[:1] == b"[":
        text = text[1:-1]
    try:
        details = json.decode(text, type=_Envelope).error.details
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    return [violation.description for detail in details for violation in detail.violations]
