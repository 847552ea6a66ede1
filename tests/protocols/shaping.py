"""Models as the catalogue describes them, and one strict look at what was rendered for them."""

import json
from typing import Any

from gemgate.hub.abilities import Abilities, Thinking
from gemgate.hub.call import Generate
from gemgate.hub.codec import Rendered
from gemgate.hub.parts import Message, Text
from gemgate.protocols.gemini.outbound import outbound
from tests.bed.contract import check_request
from tests.bed.turns import check_turns

OLD = Abilities(
    thinking=Thinking(control="budget", max_tokens=24576, default=-1, can_disable=True), penalties=True, candidates=True
)
"""Like 2.5: budgets, prefill, no signatures."""

NEW = Abilities(
    thinking=Thinking(control="level", levels=("low", "medium", "high"), default="medium"),
    sampling=False,
    prefill=False,
    builtins_with_functions=True,
    json_with_tools=True,
    media_in_results=True,
    signatures=True,
)
"""Like 3: levels, no sampling, signatures insisted on, the last turn must be the user's."""

MODELS = {"gemini-2.5-flash": OLD, "gemini-3-flash-preview": NEW}


def ask(*messages: Message, **more: Any) -> Generate:
    return Generate(model="m", messages=messages or (Message("user", (Text("hi"),)),), **more)


def checked(call: Generate, model: str = "gemini-2.5-flash", abilities: Abilities | None = None) -> dict[str, Any]:
    """Render for a model; the body is what Google takes, written canonically."""
    return body_of(outbound(call, abilities or MODELS[model]), model, abilities or MODELS[model])


def body_of(rendered: Rendered, model: str, abilities: Abilities) -> dict[str, Any]:
    body = b"".join(rendered.body)
    assert check_request("POST", f"/v1beta/models/{model}:generateContent", body, canonical=True)
    check_turns(body, model)
    document = json.loads(body)
    if not abilities.prefill:
        assert document["contents"][-1].get("role") != "model"
    assert document["contents"][0].get("role") != "model"
    assert all(content["parts"] for content in document["contents"])
    return document
