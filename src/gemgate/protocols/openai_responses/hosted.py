"""What a server's own tools have made for the model: code that was run, and images."""

from gemgate.hub.parts import Code, CodeResult, Inline, Media, Part
from gemgate.protocols.openai_responses import wire
from gemgate.protocols.openai_responses.items import holds_image
from gemgate.protocols.shared import data_urls, media_types
from gemgate.protocols.shared.media_slots import in_slot
from gemgate.protocols.shared.nested import read_or_none
from gemgate.protocols.shared.raw_json import is_given, is_string, plain_text, string

CODE_ID = "ci_"
"""How the id of code begins; the upstream's own follows, if there is one."""
MADE = "made_"
"""What follows instead before an id that was made here, so that it is not sent upstream."""

OUTCOMES = {"completed": "ok", "incomplete": "deadline_exceeded"}
"""By the status of the run; any other has failed."""
UNFINISHED = frozenset({"in_progress", "interpreting", "incomplete"})
"""Statuses of a run whose result never came, where it has no outputs."""
MAX_OUTPUTS = 100
"""How many outputs of one run are searched for images."""


def code_run(item: wire.Item) -> list[Part]:
    """Give code, what came of it, and the images that it drew, as far as they are there; without code nothing."""
    code = plain_text(item.code)
    if not code:
        return []
    own = (item.id or "").removeprefix(CODE_ID)
    code_id = "" if own.startswith(MADE) else own
    outputs = read_or_none(wire.decode_outputs, item.outputs) if is_given(item.outputs) else None
    printed = "\n".join(output.logs for output in outputs or () if output.logs)
    drawn = (_drawn(output) for output in (outputs or ())[:MAX_OUTPUTS])
    made: list[Part] = [Code(code_id, "python", code)]
    if outputs is not None or item.status not in UNFINISHED:
        made.append(CodeResult(code_id, OUTCOMES.get(item.status or "completed", "failed"), printed))
    return [*made, *(image for image in drawn if image is not None)]


def _drawn(output: wire.CodeOutput) -> Media | None:
    """Give an image that is there; the files of another server's containers are not."""
    if not is_given(output.url) or not is_string(output.url):
        return None
    parsed = data_urls.parse(string(output.url))
    if parsed is None or not parsed[1]:
        return None
    label, data = parsed
    kind = media_types.decided(label, data)
    return Media(kind, Inline(data)) if kind else None


def image_made(item: wire.Item, path: str) -> Media | None:
    """Give an image that was made; `None` if it is not in the item. Raises `InvalidRequest` for what is no image."""
    if not is_given(item.result) or not holds_image(item.result):
        return None
    label = f"image/{item.output_format}" if item.output_format else "image/*"
    return in_slot(item.result, f"{path}.result", label, carried=True)
