"""Images within text: histories bring back what answers showed (acceptance 4)."""

import base64
import json
import time

import pytest

from gemgate.hub.parts import Inline, Media, Part, Text, ToolResult
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
        (f"![a](data:image/jpeg;base64,{PNG})", [IMAGE]),
        (f"![a](data:image/png;charset=utf-8;base64,{PNG})", [IMAGE]),
        (f"[x](https://x.de) {SHOWN}", [Text("[x](https://x.de) "), IMAGE]),
        (f"```\na\n```\n{SHOWN}\n```\nb\n", [Text("```\na\n```"), IMAGE, Text("```\nb\n")]),
        (f"never closed\n```\n{SHOWN}", [Text("never closed\n```"), IMAGE]),
        (f"```a``` {SHOWN}", [Text("```a``` "), IMAGE]),
    ],
)
def test_a_data_url_in_a_history_is_an_image(text: str, parts: list[Part]) -> None:
    assert list(assistant(content=text)) == parts
    assert list(assistant(content=[{"type": "text", "text": text}])) == parts


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
        f"[a file](data:image/png;base64,{PNG})",
        "![a](data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=)",
        "![a](data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAAC)",
        f"```md\n{SHOWN}\n```\nso",
        f"~~~~\n{SHOWN}\n~~~\n{SHOWN}\n~~~~",
        f"![two\nlines](data:image/png;base64,{PNG})",
        "![image](https://x.de/a.png)",
        "](data:",
    ],
)
def test_what_is_none_stays_text(text: str) -> None:
    assert assistant(content=text) == (Text(text),)


@pytest.mark.parametrize("role", ["user", "system", "developer", "tool"])
def test_what_others_say_is_never_changed(role: str) -> None:
    """A user who pastes a page, or a tool that reads one, means its text."""
    text = f"see {SHOWN} [b](data:application/zip;base64,UEsDBAoAAAAAAA==)"
    for content in (text, [{"type": "text", "text": text}]):
        call = call_of(messages=[HI, {"role": role, "content": content}])
        (part,) = call.messages[1].parts
        assert part == (
            ToolResult("", "", json.dumps({"output": text}, separators=(",", ":"))) if role == "tool" else Text(text)
        )
    call = call_of(messages=[{"role": "system", "content": text}, HI])
    assert call.system == (Text(text),)


def test_the_paths_of_images_in_text() -> None:
    parsed = parse(messages=[HI, {"role": "assistant", "content": f"see {SHOWN}"}])
    assert parsed.paths["messages.1.parts.1"] == "messages.1.content" and not parsed.remote


@pytest.mark.parametrize(
    "piece", ["\n```", "\n~~~a", "](data:", "[](data:", "![a](data:image/png;base64,AAAA", "[", "![a](data:x,"]
)
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    began = time.process_time()
    assistant(content="](data:" + piece * 20_000 + ")")
    assert time.process_time() - began < 2
