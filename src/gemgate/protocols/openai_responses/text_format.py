"""The form of the answer's text, and how wordy it is."""

from msgspec import Struct, json

from gemgate.hub.call import Output
from gemgate.hub.codec import Dropped
from gemgate.protocols.openai_responses import wire
from gemgate.protocols.shared.answer_form import AnswerForm, output_of, schema_path, unknown_form
from gemgate.protocols.shared.nested import read
from gemgate.protocols.shared.raw_json import JsonField, is_given
from gemgate.protocols.shared.unknown import UNKNOWN, unknown

TEXT, FORMAT, CHAT_FORMAT = "text", "text.format", "response_format"
DEFAULT_VERBOSITY = (None, "", "medium")


class _Text(Struct):
    format: AnswerForm | None = None
    verbosity: str | None = None


class Form(Struct, frozen=True):
    """The form, where it stood, and what of it is lost."""

    output: Output = Output()
    paths: dict[str, str] = {}
    dropped: tuple[Dropped, ...] = ()


decode_text = json.Decoder(_Text, strict=False).decode
decode_form = json.Decoder(AnswerForm | None, strict=False).decode


def form_of(text: JsonField, response_format: JsonField) -> Form:
    """Translate `text`, or the `response_format` of clients that know Chat better; raises `InvalidRequest`."""
    dropped: list[Dropped] = []
    form, path = None, FORMAT
    if is_given(text):
        said = read(decode_text, text, TEXT)
        members = wire.decode_members(text)
        form = said.format
        dropped += unknown(members, ("format", "verbosity"), TEXT)
        dropped += unknown_form(members.get("format"), FORMAT)
        if said.verbosity not in DEFAULT_VERBOSITY:
            dropped.append(Dropped(f"{TEXT}.verbosity", UNKNOWN))
    if is_given(response_format):
        other = read(decode_form, response_format, CHAT_FORMAT)
        if form is None:
            form, path = other, CHAT_FORMAT
            dropped += unknown_form(response_format, CHAT_FORMAT)
        elif other is not None and other != form:
            dropped.append(Dropped(CHAT_FORMAT, f"{FORMAT} says otherwise"))
    if form is None:
        return Form(dropped=tuple(dropped))
    output = output_of(form, path, flat=path == FORMAT)
    return Form(output, {"output": path, "output.schema": schema_path(form, path)}, tuple(dropped))
