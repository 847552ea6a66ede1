"""Ten thousand schemas through both cleaners: whatever comes in, what goes out is valid."""

import json
from collections.abc import Callable

import pytest

from gemgate.protocols.gemini.schemas.json_schema import for_json_schema
from gemgate.protocols.gemini.schemas.openapi import for_openapi
from tests.protocols.gemini.schemas.checking import check_full, check_light
from tests.protocols.gemini.schemas.generating import Generator

SCHEMAS = 10_000
PARTS = 5

Clean = Callable[..., str | None]
BOTH: tuple[tuple[Clean, Callable[..., None]], ...] = ((for_json_schema, check_light), (for_openapi, check_full))


@pytest.mark.parametrize("part", range(PARTS))
def test_every_result_is_valid_and_stays(part: int) -> None:
    kept = 0
    for seed in range(part, SCHEMAS, PARTS):
        text, parameters = Generator(seed).text(), seed // PARTS % 2 == 0
        for clean, check in BOTH:
            made = clean(text, parameters=parameters)
            if made is None:
                continue
            kept += 1
            try:
                check(json.loads(made), parameters=parameters)
                assert clean(made, parameters=parameters) == made
            except BaseException as error:
                error.add_note(f"{clean.__name__}, seed {seed}, parameters={parameters}\nin:  {text}\nout: {made}")
                raise
    assert kept > SCHEMAS / PARTS


def test_the_generator_says_every_keyword() -> None:
    said = " ".join(Generator(seed).text() for seed in range(500))
    for keyword in (
        "$ref",
        "$defs",
        "definitions",
        "allOf",
        "oneOf",
        "anyOf",
        "const",
        "enum",
        "nullable",
        "not",
        "if",
    ):
        assert f'"{keyword}": ' in said
    for keyword in ("prefixItems", "patternProperties", "additionalProperties", "exclusiveMinimum", "dependencies"):
        assert f'"{keyword}": ' in said
