"""How much the model thinks, and whether its thoughts are shown."""

from msgspec import Struct

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Effort, Reasoning
from gemgate.hub.codec import Dropped
from gemgate.protocols.anthropic import wire
from gemgate.protocols.anthropic.style import Thinking

EFFORTS: dict[str, Effort] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "max"}
EFFORT = "output_config.effort"
LEAST_BUDGET = -1
"""In tokens: the amount is left to the model."""


class Wish(Struct, frozen=True):
    """What a request says about thinking, where, what of it is lost, and what the client expects of the answer."""

    reasoning: Reasoning = Reasoning()
    paths: dict[str, str] = {}
    dropped: tuple[Dropped, ...] = ()
    shown: Thinking = "unasked"


def wish(request: wire.Request, later: tuple[str, str] | None = None) -> Wish:
    """Merge `thinking` and the effort; raises `InvalidRequest`.

    `later` is an effort that was asked for in mid-conversation, with its path: it holds from there on.
    """
    config = request.output_config
    word, path = later or ((config.effort if config is not None else None) or "", EFFORT)
    effort = _effort(word, path)
    paths = {"reasoning.effort": path} if effort is not None else {}
    thinking = request.thinking
    kind = _kind(thinking)
    if thinking is None or not kind:
        return Wish(Reasoning(effort=effort), paths)
    paths |= {"reasoning.include_thoughts": "thinking.display" if thinking.display else "thinking"}
    shown = thinking.display != "omitted"
    match kind:
        case "disabled":
            paths["reasoning.effort"] = "thinking"
            lost = _unused(effort, path, "thinking is switched off")
            return Wish(Reasoning(effort="none", include_thoughts=False), paths, lost, "off")
        case "enabled" if thinking.budget_tokens is not None:
            budget = _budget(thinking.budget_tokens)
            paths = paths | {"reasoning.budget_tokens": "thinking.budget_tokens"}
            lost = _unused(effort, path, "budget_tokens says how much the model thinks")
            return Wish(Reasoning(budget_tokens=budget, include_thoughts=shown), paths, lost, "asked")
        case "enabled" | "adaptive":
            return Wish(Reasoning(effort=effort, include_thoughts=shown), paths, shown="asked")
        case "between_tools":
            # Who asks for this expects no thoughts in front of an answer, where this model does its thinking.
            lost = (Dropped("thinking", "the model thinks when it sees fit, not between tools alone"),)
            return Wish(Reasoning(effort=effort, include_thoughts=False), paths, lost, "asked")
        case _:
            known = "enabled, adaptive, disabled, between_tools"
            raise InvalidRequest(f"{kind[:80]!r} is no kind of thinking. It is one of {known}.", param="thinking.type")


def _kind(thinking: wire.Thinking | None) -> str:
    """Give the type, which a budget alone says too; "" if nothing is said."""
    if thinking is None:
        return ""
    return thinking.type or ("enabled" if thinking.budget_tokens is not None else "")


def _budget(tokens: int) -> int:
    if tokens < LEAST_BUDGET:
        raise InvalidRequest("budget_tokens must not be negative.", param="thinking.budget_tokens")
    return tokens


def _effort(word: str, path: str) -> Effort | None:
    if not word:
        return None
    found = EFFORTS.get(word.lower())
    if found is None:
        raise InvalidRequest(f"{word[:80]!r} is no effort. It is one of {', '.join(EFFORTS)}.", param=path)
    return found


def _unused(effort: Effort | None, path: str, why: str) -> tuple[Dropped, ...]:
    return (Dropped(path, why),) if effort is not None else ()
