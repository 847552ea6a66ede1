"""Results of functions as Gemini takes them."""

import json

import pytest

from gemgate.hub.parts import Inline, Media, ToolResult, Uri
from gemgate.protocols.gemini.results import fitting

IMAGE = Media("image/png", Inline("AAAA"))
SOUND = Media("audio/wav", Inline("AAAA"))
PAPER = Media("application/pdf", Uri("https://x/y.pdf"))


@pytest.mark.parametrize(
    "response",
    [
        '{"$ref":"#/a"}',
        '{"a":[{"b":{"$ref":1}}]}',
        '{"a":{"\\u0024ref":1}}',
        '{"a":{"$\\u0072ef":1}}',
        '{"$ref":1,"a":1e400}',
        '{"$ref":1,"a":"\\ud800"}',
        '{"$ref":1,"a":' + "[" * 5000 + "]" * 5000 + "}",
    ],
)
def test_results_with_references_are_told_as_text(response: str) -> None:
    """Acceptance 10: newer models refuse the key."""
    found, _ = fitting(ToolResult("1", "f", response), media_inside=True)
    assert json.loads(found.response) == {"output": response}


@pytest.mark.parametrize(
    "response", ["{}", '{"ref":"$ref"}', '{"a":["$ref"]}', '{"a":"\\"$ref\\":1"}', '{"$refs":1,"b":"\\u0024"}']
)
def test_other_results_stay_as_they_are(response: str) -> None:
    assert fitting(ToolResult("1", "f", response), media_inside=True)[0].response == response


def test_media_stay_inside_where_the_model_takes_them() -> None:
    """Notes §8: images and papers on newer models, nothing on older ones."""
    given = ToolResult("1", "f", "{}", (IMAGE, SOUND, PAPER))
    assert fitting(given, media_inside=True) == (ToolResult("1", "f", "{}", (IMAGE, PAPER)), (SOUND,))
    assert fitting(given, media_inside=False) == (ToolResult("1", "f", "{}"), (IMAGE, SOUND, PAPER))
