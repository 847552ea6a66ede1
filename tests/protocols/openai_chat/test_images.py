"""Images within text: histories bring back what answers showed (acceptance 4)."""

import base64
import time

import pytest

from gemgate.hub.parts import Inline, Media, Part, Text
from tests.protocols.openai_chat.asking import HI, assistant, call_of, parse

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(30))).decode()
IMAGE = Media("image/png", Inline(PNG))
SHOWN = f"![image](data:image/png;base64,{PNG})"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (SHOWN, [IMAGE]),
        (f"{SHOWN}\n", [IMAGE]),
        (f"see\n{SHOWN}\n", [Text("see"), IMAGE]),
        (f"see {SHOWN} there", [Text("see "), IMAGE, Text(" there")]),
        (f"{SHOWN}\n\n{SHOWN}\nend", [IMAGE, IMAGE, Text("end")]),
        (f"{SHOWN}{SHOWN}", [IMAGE, IMAGE]),
        (f"![](data:image/png;base64,{PNG})", [IMAGE]),
        (f"[a file](data:image/png;base64,{PNG})", [IMAGE]),
        (f"![a](data:image/jpeg;base64,{PNG})", [IMAGE]),
        (f"![a](data:image/png;charset=utf-8;base64,{PNG})", [IMAGE]),
        (f"[x](https://x.de) {SHOWN}", [Text("[x](https://x.de) "), IMAGE]),
    ],
)
def test_a_data_url_in_a_history_is_an_image(text: str, parts: list[Part]) -> None:
    assert list(assistant(content=text)) == parts
    assert list(assistant(content=[{"type": "text", "text": text}])) == parts
    assert list(call_of(messages=[{"role": "user", "content": text}]).messages[0].parts) == parts


@pytest.mark.parametrize(
    "text",
    [
        f"![image](data:image/png;base64,{PNG}",
        f"![image](data:image/png;base64,{PNG[:20]}… [4000 characters])",
        "![image](data:image/png;base64,)",
        "![image](data:image/png,plain)",
        "[link](data:text/plain;base64,aGVsbG8=)",
        "![a](data:;base64,AAAAAAAA)",
        f"image](data:image/png;base64,{PNG})",
        f"(data:image/png;base64,{PNG})",
        f"![two\nlines](data:image/png;base64,{PNG})",
        "![image](https://x.de/a.png)",
        "](data:",
    ],
)
def test_what_is_none_stays_text(text: str) -> None:
    assert assistant(content=text) == (Text(text),)


def test_the_paths_of_images_in_text() -> None:
    parsed = parse(messages=[HI, {"role": "user", "content": f"see {SHOWN}"}])
    assert parsed.paths["messages.1.parts.1"] == "messages.1.content" and not parsed.remote


@pytest.mark.parametrize("piece", ["](data:", "[](data:", "![a](data:image/png;base64,AAAA", "[", "![a](data:x,"])
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    began = time.process_time()
    assistant(content="](data:" + piece * 20_000 + ")")
    assert time.process_time() - began < 2
