"""The tool that makes images: a model makes them by itself, or not at all."""

from typing import Any

import pytest
from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, Function, Tool, ToolChoice
from gemgate.hub.parts import Vendor
from gemgate.protocols.gemini.outbound import outbound
from tests.protocols.shaping import NEW, OLD, ask, checked

PAINTER = replace(OLD, output=("text", "image"))
IMAGES = BuiltIn("image_generation")
WIDE = BuiltIn("image_generation", Vendor("gemini", '{"aspectRatio":"16:9"}'))
TOOL = Function(name="f")
IMAGE_MODEL = "gemini-2.5-flash-image"


def config(*tools: Tool, **more: Any) -> dict[str, Any]:
    return checked(ask(tools=tools, **more), IMAGE_MODEL, PAINTER)["generationConfig"]


@pytest.mark.parametrize("choice", [None, ToolChoice("auto"), ToolChoice("required")])
def test_a_model_that_makes_images_needs_no_tool(choice: ToolChoice | None) -> None:
    call = ask(tools=(IMAGES,), tool_choice=choice)
    body = checked(call, IMAGE_MODEL, PAINTER)
    assert "tools" not in body and "toolConfig" not in body and not outbound(call, PAINTER).dropped
    assert body["generationConfig"] == {"responseModalities": ["TEXT", "IMAGE"]}


def test_how_images_are_made() -> None:
    assert config(TOOL, WIDE)["imageConfig"] == {"aspectRatio": "16:9"}
    assert "imageConfig" not in config(TOOL, BuiltIn("image_generation", Vendor("other", "{}")))
    assert "imageConfig" not in str(checked(ask(tools=(TOOL, WIDE))))


def test_functions_beside_it_stay() -> None:
    body = checked(ask(tools=(TOOL, IMAGES)), IMAGE_MODEL, PAINTER)
    assert [tool["functionDeclarations"][0]["name"] for tool in body["tools"]] == ["f"]
    assert not outbound(ask(tools=(TOOL, IMAGES)), PAINTER).dropped


@pytest.mark.parametrize("abilities", [OLD, NEW])
def test_other_models_lose_it(abilities: Any) -> None:
    for call in (ask(tools=(TOOL, IMAGES)), ask(tools=(TOOL, IMAGES), tool_choice=ToolChoice("required"))):
        assert [drop.path for drop in outbound(call, abilities).dropped] == ["tools.1"]
    assert "tools" not in checked(ask(tools=(IMAGES,)))
    assert not outbound(ask(tools=(IMAGES,), tool_choice=ToolChoice("none")), abilities).dropped


@pytest.mark.parametrize("abilities", [OLD, NEW])
def test_other_models_cannot_be_made_to(abilities: Any) -> None:
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(tools=(IMAGES,), tool_choice=ToolChoice("required")), abilities)
    assert (error.value.param, error.value.code) == ("tool_choice", "unsupported_tool")
