"""Codex works as on the service that it was made for, over HTTP and over a WebSocket."""

import asyncio
import base64
import json
import random
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bed.strict_gemini import LARGE, call, step, text, thought
from tests.bed.upstream import Gate, error, overloaded, part_chunk, sse
from tests.bed.upstream.generate import PIXEL
from tests.clients.bed import KEY, Bed, Json, grounded, parts, result_texts, running_bed, signed
from tests.clients.codex import MODEL, Codex, keeping_to_its_way
from tests.clients.codex_server import serving
from tests.e2e.bed import until

WORD = "xyzzy-4711"
OLDER = "gemini-2.5-flash"
QUERY = "weather in Rome"
SUMMARY = "So far: the word was looked for."
KEYS = 2
"""Of a gateway; each is tried where quotas are used up."""
LIVELY = "[server]\nkeepalive_after_seconds = 0.2\n"
TRIES_ONCE = "[gemini]\nmax_attempts = 1\n"
WAIT = f"touch begun; for _ in $(seq 800); do [ -e go ] && break; sleep 0.05; done; echo {WORD}"
PATCH = "*** Begin Patch\n*** Add File: made.txt\n+made by a patch\n*** End Patch\n"
WANTED = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}
ADDING = Path(__file__).with_name("adding_server.py")
ADDER = ("-c", f"mcp_servers.sums.command={json.dumps(sys.executable)}", "-c", f'mcp_servers.sums.args=["{ADDING}"]')


@pytest.fixture(scope="module")
def module_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with running_bed(tmp_path_factory.mktemp("bed"), LIVELY) as made:
        yield made


def run_command(command: str) -> Json:
    return call("exec_command", cmd=command)


def declared(request: Json) -> dict[str, Json]:
    """The functions in a request to the model, by name."""
    return {one["name"]: one for tool in request["tools"] for one in tool.get("functionDeclarations", ())}


def searches(request: Json) -> bool:
    return any("googleSearch" in tool for tool in request["tools"])


def catalogue(codex: Codex, **known: Any) -> tuple[str, str]:
    """What tells Codex more of the model than that there is one."""
    model = {
        "slug": MODEL,
        "display_name": MODEL,
        "base_instructions": "You are a coding agent.",
        "supported_reasoning_levels": [{"effort": "low", "description": "Quick"}],
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": True,
        "priority": 1,
        "support_verbosity": False,
        "truncation_policy": {"mode": "tokens", "limit": 10_000},
        "experimental_supported_tools": [],
    }
    path = codex.file("models.json", json.dumps({"models": [model | known]}))
    return "-c", f"model_catalog_json={json.dumps(path)}"


def schema(codex: Codex) -> tuple[str, str]:
    """What makes Codex ask for an answer in JSON."""
    return "--output-schema", codex.file("schema.json", json.dumps(WANTED))


def noise(side: int) -> bytes:
    """A square PNG that cannot be compressed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    made = random.Random(side)
    rows = b"".join(b"\0" + made.randbytes(3 * side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")


def test_a_tool_makes_the_round(shared: Bed, codex: Codex) -> None:
    path = codex.file("note.txt", f"the magic word is {WORD}\n")
    shared.will_say(step(run_command(f"cat {path}")), step(text(f"It is {WORD}.")))
    assert codex.says("Tell me the magic word in note.txt.") == f"It is {WORD}."
    assert [request.path.rpartition(":")[2] for request in shared.up.requests] == ["streamGenerateContent"] * 2
    assert WORD in result_texts(shared.asked[1])[0]
    assert shared.asked[0]["systemInstruction"]["parts"][0]["text"].startswith("You are ")
    signed(shared)


def test_parallel_calls(shared: Bed, codex: Codex) -> None:
    calls = [run_command(f"echo this is {name}-4711") for name in ("one", "two")]
    shared.will_say(step(text("I do both."), *calls), step(text("Done.")))
    assert codex.says("Do both.") == "Done."
    *_, asked, answered = shared.asked[1]["contents"]
    assert [role["role"] for role in (asked, answered)] == ["model", "user"]
    assert [part["functionCall"]["name"] for part in asked["parts"][1:]] == ["exec_command"] * 2
    first, second = [str(part["functionResponse"]["response"]) for part in answered["parts"]]
    assert "one-4711" in first and "two-4711" in second
    signed(shared)


def test_thoughts_and_signatures_over_many_steps(shared: Bed, codex: Codex) -> None:
    look = run_command("echo looked")
    shared.will_say(
        step(thought("I should look."), look, signature_length=LARGE),
        step(thought("Again."), text("Once more."), look, look, signature_length=LARGE),
        step(thought("Enough."), text("Done."), signature_length=LARGE),
    )
    told = codex.does("Look three times.")
    assert [item["text"] for item in told.items if item["type"] == "reasoning"] == [
        "I should look.",
        "Again.",
        "Enough.",
    ]
    assert told.answer == "Done."
    given = [part["thoughtSignature"] for part in parts(shared.asked[2], "functionCall") if "thoughtSignature" in part]
    assert len(given) == 2 and set(given) <= shared.gemini.signatures
    signed(shared)


async def test_a_restart_between_a_call_and_its_result(shared: Bed, codex: Codex) -> None:
    """The data folder is emptied: the signature can only come out of what the client has kept."""
    shared.will_say(
        step(text("I wait."), run_command(WAIT), signature_length=3_000),
        step(run_command("echo second")),
        step(text("It went well.")),
    )
    with codex.started("Wait for it.") as process:
        await until(lambda: (codex.work / "begun").exists() or process.ended(), 40)
        shared.restart(forget=True)
        codex.file("go", "")
        assert codex.done(codex.told(await asyncio.to_thread(process.finish))).answer == "It went well."
    assert WORD in result_texts(shared.asked[1])[0]
    signed(shared)


@pytest.mark.parametrize("forget", [False, True], ids=["restarted", "anew"])
def test_a_conversation_goes_on_after_a_restart(shared: Bed, codex: Codex, forget: bool) -> None:
    """Signatures of texts are not among what a client keeps, and none is asked for there."""
    shared.will_say(step(thought("Hm."), run_command(f"echo {WORD}")), step(text(f"It is {WORD}.")), step(text("Bye.")))
    assert codex.says("What is the magic word?") == f"It is {WORD}."
    shared.restart(forget=forget)
    assert codex.says("Thank you.", resume=True) == "Bye."
    assert WORD in result_texts(shared.asked[2])[0]
    (given,) = [part.get("thoughtSignature") for part in parts(shared.asked[2], "functionCall")]
    assert given in shared.gemini.signatures
    assert (shared.gemini.refusals, shared.gemini.dummies) == ([], 0)
    assert forget or not shared.gemini.lost


def test_trouble_upstream_before_the_answer(shared: Bed, codex: Codex) -> None:
    shared.will_answer_first(overloaded())
    shared.will_say(step(text("Here I am.")))
    assert codex.says("Hello.") == "Here I am."
    assert len(shared.asked) == 2


def test_trouble_that_reaches_the_client(codex_program: Path, tmp_path: Path, socket: bool) -> None:
    """With a single attempt refusals are passed on, and Codex asks again, when it is told to."""
    with (
        running_bed(tmp_path, TRIES_ONCE) as bed,
        keeping_to_its_way(codex_program, bed, tmp_path, socket=socket) as codex,
    ):
        bed.will_answer_first(overloaded(), *[error(429, retry_delay="1s")] * KEYS)
        bed.will_say(step(text("Here I am.")))
        assert codex.says("Hello.") == "Here I am."
        refused, answered = [request.done.at for request in bed.up.calls("enerateContent")[-2:]]
        assert len(bed.asked) == KEYS + 2 and refused and answered and answered - refused >= 1


def test_an_answer_that_breaks_off(shared: Bed, codex: Codex) -> None:
    """Told of the failure within the stream, Codex asks again."""
    chunks = [part_chunk({"text": "It is "}), part_chunk({"text": "not told."}, finish="STOP")]
    shared.will_answer_first(sse(chunks, cut_after=1))
    shared.will_say(step(text(f"It is {WORD}.")))
    assert codex.says("Tell me.") == f"It is {WORD}."
    assert len(shared.asked) == 2


def test_a_prompt_that_is_too_long(shared: Bed, codex: Codex) -> None:
    shared.up.script = None
    shared.up.always = error(
        400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
    )
    told = codex.run("Hello.")
    assert told.ran.status == 1 and told.failure.startswith("Codex ran out of room in the model's context window")
    assert len(shared.asked) == 1


def test_a_wrong_key(shared: Bed, codex_program: Path, tmp_path: Path, socket: bool) -> None:
    """Refused at the handshake, it asks over HTTP at last, and is told there."""
    codex = Codex(codex_program, shared, tmp_path, socket=socket)
    told = codex.run("Hello.", extra={"GATEWAY_KEY": "gg-wrong-0123456789abcdef"})
    assert told.ran.status == 1 and "401 Unauthorized" in told.failure, told
    assert shared.up.requests == []


def test_json_by_schema_beside_tools(shared: Bed, codex: Codex) -> None:
    answer = json.dumps({"word": WORD})
    shared.will_say(step(run_command(f"echo {WORD}")), step(text(answer)))
    assert codex.says("The word?", *schema(codex)) == answer
    for asked in shared.asked:
        wanted = asked["generationConfig"]
        assert wanted["responseMimeType"] == "application/json"
        assert wanted["responseJsonSchema"]["properties"] == WANTED["properties"]
        assert "exec_command" in declared(asked)
    signed(shared)


def test_an_image_in_the_prompt(shared: Bed, codex: Codex) -> None:
    """It is larger than what libraries for WebSockets take in one message unless told otherwise: 1 MiB."""
    path = codex.work / "noise.png"
    path.write_bytes(noise(640))
    shared.will_say(step(text("Noise.")))
    assert codex.says("What is it?", "-i", str(path)) == "Noise."
    (shown,) = parts(shared.asked[0], "inlineData")
    assert shown["inlineData"]["mimeType"] == "image/png"
    assert base64.b64decode(shown["inlineData"]["data"]) == path.read_bytes()


def test_an_image_in_a_result(shared: Bed, codex: Codex) -> None:
    path = codex.work / "pixel.png"
    path.write_bytes(base64.b64decode(PIXEL))
    shared.will_say(step(call("view_image", path=str(path))), step(text("A pixel.")))
    assert codex.says("Look at pixel.png.") == "A pixel."
    (result,) = parts(shared.asked[1], "functionResponse")
    (shown,) = result["functionResponse"]["parts"]
    assert shown["inlineData"]["mimeType"].startswith("image/") and shown["inlineData"]["data"]
    signed(shared)


def test_a_tool_of_a_server(shared: Bed, codex: Codex) -> None:
    """It is called by its name and that of its namespace, which the model sees as one."""
    shared.will_say(step(call("mcp__sums__add", a=40, b=2)), step(text("It is 42.")))
    told = codex.does("Add.", *ADDER)
    assert told.answer == "It is 42."
    (added,) = [item for item in told.items if item["type"] == "mcp_tool_call"]
    assert (added["server"], added["tool"], added["status"]) == ("sums", "add", "completed")
    assert "42" in result_texts(shared.asked[1])[0]
    signed(shared)


def test_a_tool_that_is_searched_for(shared: Bed, codex: Codex) -> None:
    """What a search has found is declared by its result alone."""
    shared.will_say(
        step(call("tool_search", query="add numbers", limit=3)),
        step(call("mcp__sums__add", a=40, b=2)),
        step(text("It is 42.")),
    )
    assert codex.says("Add.", *catalogue(codex, supports_search_tool=True), *ADDER) == "It is 42."
    assert ["mcp__sums__add" in declared(asked) for asked in shared.asked] == [False, True, True]
    assert "42" in result_texts(shared.asked[2])[1]
    signed(shared)


def test_a_patch(shared: Bed, codex: Codex) -> None:
    """A tool that takes free text is a function with one string for the model."""
    shared.will_say(step(call("apply_patch", input=PATCH)), step(text("Made.")))
    assert codex.says("Make it.", *catalogue(codex, apply_patch_tool_type="freeform")) == "Made."
    assert (codex.work / "made.txt").read_text() == "made by a patch\n"
    assert "Success" in result_texts(shared.asked[1])[0]
    signed(shared)


def test_the_web_beside_functions(shared: Bed, codex: Codex) -> None:
    shared.will_answer_first(sse([grounded("It is sunny.", QUERY)]))
    shared.will_say(step(text("You are welcome.")))
    told = codex.does("How is the weather in Rome?")
    assert told.answer == "It is sunny."
    assert [item["query"] for item in told.items if item["type"] == "web_search"] == [QUERY]
    assert codex.says("Thank you.", resume=True) == "You are welcome."
    assert all(searches(asked) and "exec_command" in declared(asked) for asked in shared.asked)


def test_an_older_model_has_its_functions_alone(shared: Bed, codex: Codex) -> None:
    """It would refuse the web, or a form for its answer, beside them."""
    shared.will_say(step(run_command(f"echo {WORD}")), step(text("Hello.")))
    assert codex.says("Hello.", "-m", OLDER, *schema(codex)) == "Hello."
    for asked in shared.asked:
        assert "exec_command" in declared(asked) and not searches(asked)
        assert "responseMimeType" not in asked["generationConfig"]
    signed(shared)


def test_a_long_conversation_is_summed_up(shared: Bed, codex: Codex) -> None:
    """Codex asks for the summary itself, and goes on from it."""
    shared.will_say(step(run_command(f"echo {WORD}")), step(text(SUMMARY)), step(text("Done.")))
    assert codex.says("Look.", "-c", "model_auto_compact_token_limit=15") == "Done."
    summing, after = shared.asked[1:]
    assert "CONTEXT CHECKPOINT COMPACTION" in str(summing["contents"][-1])
    assert SUMMARY in str(after["contents"]) and WORD not in str(after["contents"])
    signed(shared)


def test_a_long_conversation_is_compacted_by_the_server(shared: Bed, codex_program: Path, tmp_path: Path) -> None:
    """So it is with the provider that Codex has of itself, over a socket; the client keeps all that is needed."""
    shared.will_say(step(run_command(f"echo {WORD}")), step(text(SUMMARY)), step(text("Done.")), step(text("Bye.")))
    with keeping_to_its_way(codex_program, shared, tmp_path, socket=True) as codex:
        own = ("-c", 'model_provider="openai"', "-c", f'openai_base_url="{shared.url}/v1"')
        key = {"CODEX_API_KEY": KEY}
        assert codex.says("Look.", *own, "-c", "model_auto_compact_token_limit=15", extra=key) == "Done."
        shared.restart(forget=True)
        assert codex.says("Thank you.", *own, resume=True, extra=key) == "Bye."
    for after in shared.asked[2:]:
        assert SUMMARY in str(after["contents"]) and WORD not in str(after["contents"])
    assert (shared.gemini.refusals, shared.gemini.dummies) == ([], 0)


def test_tools_in_the_conversation(shared: Bed, codex: Codex) -> None:
    """With some models Codex tells its tools at the start of the input."""
    shared.will_say(step(call("functions__exec_command", cmd=f"echo {WORD}")), step(text("Done.")))
    assert codex.says("Look.", *catalogue(codex, use_responses_lite=True)) == "Done."
    assert all("functions__exec_command" in declared(asked) for asked in shared.asked)
    assert WORD in result_texts(shared.asked[1])[0]
    signed(shared)


async def test_many_turns_of_one_process(shared: Bed, codex: Codex) -> None:
    shared.will_say(
        step(thought("Hm."), run_command(f"echo {WORD}")),
        step(text("First.")),
        step(text("Second.")),
        step(text("Third.")),
    )
    before = len(shared.log())
    async with serving(codex) as server:
        said = [await server.says(prompt) for prompt in ("One.", "Two.", "Three.")]
    assert said == ["First.", "Second.", "Third."]
    assert shared.log()[before:].count(" 101 GET /v1/responses") == codex.socket
    assert WORD in result_texts(shared.asked[3])[0]
    signed(shared)


async def test_an_interrupt_ends_the_work_upstream(shared: Bed, codex: Codex) -> None:
    shared.will_answer_first(sse([part_chunk({"text": "Well "}), part_chunk({"text": "then."})], stall_after=1))
    shared.will_say(step(text("Here I am.")))
    async with serving(codex) as server:
        turn = await server.begin("Hello.")
        await server.until("item/agentMessage/delta")
        assert not shared.up.client_gone.is_set()
        await server.interrupt(turn)
        await shared.up.client_gone.wait(15)
        await server.until("turn/completed")
        assert await server.says("Are you there?") == "Here I am."
    assert "Hello." in str(shared.asked[1]["contents"])


async def test_a_long_silence(shared: Bed, codex: Codex) -> None:
    """Codex gives up where nothing comes for a while, and its while is longer than the gateway's."""
    gate = Gate()
    shared.will_answer_first(sse([part_chunk({"text": "Here I am."}, finish="STOP")], gate=gate))
    with codex.started("Hello.", "-c", "model_providers.gateway.stream_idle_timeout_ms=800") as process:
        await shared.up.received(1, 30)
        await asyncio.sleep(2)  # nothing tells of a timer that does not run out
        gate.open()
        assert codex.done(codex.told(await asyncio.to_thread(process.finish))).answer == "Here I am."
    assert len(shared.asked) == 1


def test_usage(shared: Bed, codex: Codex) -> None:
    counted = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 60,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 5,
        "totalTokenCount": 112,
    }
    shared.will_answer_first(sse([part_chunk({"text": "Hello."}, finish="STOP", usageMetadata=counted)]))
    used = codex.does("Hello.").usage
    told = (used["input_tokens"], used["cached_input_tokens"], used["output_tokens"], used["reasoning_output_tokens"])
    assert told == (100, 60, 12, 5)
