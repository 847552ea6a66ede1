"""An address or media carried in the request."""

import tracemalloc
from base64 import b64encode
from collections.abc import Callable

import pytest

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Base64, Inline, Media, Remote
from gemgate.protocols.shared.data_urls import SHORTEST
from gemgate.protocols.shared.located import LONGEST_ADDRESS, is_address, located, refuse_other_than_base64

PNG = b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(200))).decode()
UNKNOWN = b64encode(bytes([7]) * 40).decode()
FOREIGN = "files/of/another/kind/than/ours"

Form = Callable[[str], Base64]
FORMS: dict[str, Form] = {"str": lambda text: text, "memoryview": lambda text: memoryview(text.encode())}
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def inline(media: Media) -> tuple[str, str]:
    assert isinstance(media.source, Inline)
    return media.mime_type, media.source.text


def refusal(text: Base64, *, label: str = "image/png", for_data: bool = False) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as error:
        located(text, "here", label=label, for_data=for_data)
    assert (error.value.param, error.value.code) == ("here", "unsupported_media")
    return error.value


@each_form
@pytest.mark.parametrize("url", ["https://a.de/ä", "HTTP://a.de", "gs://b/c", "files/abc-1"])
def test_addresses_keep_what_is_said_of_them(form: Form, url: str) -> None:
    for for_data in (False, True):
        found = located(form(url), "here", label="IMAGE/JPG", name="a.pdf", detail="low", for_data=for_data)
        assert found == Media("image/jpeg", Remote(url), detail="low")


@each_form
def test_an_address_has_an_end(form: Form) -> None:
    url = "https://a.de/".ljust(LONGEST_ADDRESS, "a")
    assert is_address(url) and located(form(url), "here", label="").source == Remote(url)
    assert not is_address(url + "a") and refusal(form(url + "a"))


@pytest.mark.parametrize("text", ["", "ftp://a.de", " https://a.de", "files/", "files/a/b", "files/" + "a" * 65, "abc"])
def test_what_is_no_address(text: str) -> None:
    assert not is_address(text)


@each_form
def test_media_are_what_their_bytes_say_before_any_label(form: Form) -> None:
    for text in (PNG, f"data:image/jpeg;base64,{PNG}"):
        found = located(form(text), "here", label="image/jpeg", detail="high")
        assert inline(found) == ("image/png", PNG) and found.detail == "high"
    named = located(form(f"data:text/csv;base64,{UNKNOWN}"), "here", label="text/html", name="a.md")
    assert inline(named) == ("text/csv", UNKNOWN)
    assert inline(located(form(f"data:;base64,{UNKNOWN}"), "here", label="text/html"))[0] == "text/html"
    assert inline(located(form(UNKNOWN), "here", label="", name="a.md"))[0] == "text/markdown"


@each_form
def test_short_base64_counts_only_in_a_slot_made_for_it(form: Form) -> None:
    assert inline(located(form("aGk="), "here", label="text/plain", for_data=True)) == ("text/plain", "aGk=")
    assert "neither" in refusal(form("aGk=")).message
    enough = "a" * SHORTEST
    assert inline(located(form(enough), "here", label="text/plain"))[1] == enough


@each_form
@pytest.mark.parametrize(
    "text", ["no base64!", "no base64, however long it may be!", "é" * 30, "ftp://a.de/x", FOREIGN]
)
def test_what_is_neither_is_refused(form: Form, text: str) -> None:
    for for_data in (False, True):
        assert "neither" in refusal(form(text), for_data=for_data).message
        with pytest.raises(InvalidRequest, match="neither"):
            refuse_other_than_base64(form(text), "here", for_data=for_data)


@each_form
def test_empty_media_and_those_of_no_type_are_refused(form: Form) -> None:
    assert "no data" in refusal(form("data:image/png;base64,")).message
    assert "no data" in refusal(form(""), for_data=True).message
    assert "no data" in refusal("\n \n", for_data=True).message
    for text in (UNKNOWN, f"data:;base64,{UNKNOWN}"):
        assert "type" in refusal(form(text), label="").message


@each_form
def test_what_a_data_url_calls_base64_is_believed(form: Form) -> None:
    assert inline(located(form("data:image/png;base64,AAA===="), "here", label=""))[1] == "AAA===="


def test_escaped_line_breaks_are_taken_out() -> None:
    broken = "\r\n".join(PNG[start : start + 76] for start in range(0, len(PNG), 76))
    assert "\n" in broken and inline(located(f"{broken}\n\t ", "here", label="")) == ("image/png", PNG)


def test_long_media_cost_one_copy_where_they_hold_line_breaks_and_none_elsewhere() -> None:
    size = 8 << 20
    data = "iVBORw0KGgoA".ljust(76, "A")
    lines = "\n".join([data] * (size // 77))
    for text, copies in ((lines, 1.0), (lines.replace("\n", "A"), 0.0)):
        tracemalloc.start()
        found = located(text, "here", label="")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < (copies + 0.1) * size, "a list of lines takes 2.7"
        assert inline(found) == ("image/png", text.replace("\n", ""))
