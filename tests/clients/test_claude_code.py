"""Claude Code works as on the service that it was made for."""

import asyncio
import base64
import json
from pathlib import Path

import pytest

from tests.bed.strict_gemini import call, step, text, thought
from tests.bed.upstream import Answer, Received, error, overloaded, part_chunk, sse
from tests.bed.upstream.generate import PIXEL
from tests.clients.bed import PAGE, Bed, grounded, parts, result_texts, running_bed, signed
from tests.clients.claude_code import ClaudeCode
from tests.e2e.bed import until

WORD = "xyzzy-4711"
READ = ("--allowedTools", "Read")
BASH = ("--allowedTools", "Bash")
QUERY = "weather in Rome"


def test_a_tool_makes_the_round(bed: Bed, claude: ClaudeCode) -> None:
    path = claude.file("note.txt", f"the magic word is {WORD}\n")
    bed.will_say(step(call("Read", file_path=path)), step(text(f"It is {WORD}.")))
    assert claude.says("Tell me the magic word in note.txt.", *READ) == f"It is {WORD}."
    assert [request.path.rpartition(":")[2] for request in bed.up.requests] == ["streamGenerateContent"] * 2
    assert WORD in result_texts(bed.asked[1])[0]
    signed(bed)


def test_parallel_calls(bed: Bed, claude: ClaudeCode) -> None:
    paths = [claude.file(f"{name}.txt", f"this is {name}-4711\n") for name in ("one", "two")]
    bed.will_say(step(text("I read both."), *(call("Read", file_path=path) for path in paths)), step(text("Done.")))
    assert claude.says("Read both files.", *READ) == "Done."
    results = result_texts(bed.asked[1])
    assert len(results) == 2 and "one-4711" in results[0] and "two-4711" in results[1]
    assert [role["role"] for role in bed.asked[1]["contents"]][-2:] == ["model", "user"]
    signed(bed)


@pytest.mark.parametrize("length", [120, 100_000])
def test_thoughts_and_signatures_over_many_steps(bed: Bed, claude: ClaudeCode, length: int) -> None:
    path = claude.file("note.txt", f"the magic word is {WORD}\n")
    look = call("Read", file_path=path)
    bed.will_say(
        step(thought("I should look."), look, signature_length=length),
        step(thought("Again."), text("Once more."), look, look, signature_length=length),
        step(thought("Enough."), text("Done."), signature_length=length),
    )
    assert claude.says("Read it three times.", *READ) == "Done."
    given = [part["thoughtSignature"] for part in parts(bed.asked[2], "functionCall") if "thoughtSignature" in part]
    assert len(given) == 2 and set(given) <= bed.gemini.signatures
    signed(bed)


@pytest.mark.parametrize("forget", [False, True], ids=["restarted", "anew"])
async def test_a_restart_between_a_call_and_its_result(bed: Bed, claude: ClaudeCode, forget: bool) -> None:
    """With an empty data folder the signature can only come out of what the client has kept."""
    wait = f"touch begun; for _ in $(seq 800); do [ -e go ] && break; sleep 0.05; done; echo {WORD}"
    bed.will_say(
        step(text("I wait."), call("Bash", command=wait, description="Wait"), signature_length=3_000),
        step(call("Bash", command="echo second", description="Again")),
        step(text("It went well.")),
    )
    with claude.started("Wait for it.", *BASH) as process:
        await until(lambda: (claude.work / "begun").exists() or process.ended(), 40)
        bed.restart(forget=forget)
        claude.file("go", "")
        assert claude.answer(await asyncio.to_thread(process.finish)) == "It went well."
    assert WORD in result_texts(bed.asked[1])[0]
    signed(bed)


@pytest.mark.parametrize("again", ["--continue", "--resume"])
def test_a_conversation_goes_on_after_a_restart(bed: Bed, claude: ClaudeCode, again: str) -> None:
    path = claude.file("note.txt", f"the magic word is {WORD}\n")
    bed.will_say(step(thought("Hm."), call("Read", file_path=path)), step(text(f"It is {WORD}.")), step(text("Bye.")))
    first = claude.report("What is the magic word?", *READ)
    assert first["result"] == f"It is {WORD}."
    bed.restart()
    options = (again, first["session_id"]) if again == "--resume" else (again,)
    assert claude.says("Thank you.", *options, *READ) == "Bye."
    assert WORD in result_texts(bed.asked[2])[0]
    signed(bed)


def test_a_conversation_goes_on_although_all_is_forgotten(bed: Bed, claude: ClaudeCode) -> None:
    """Claude Code leaves out what it thought in earlier turns, and no signature is asked for there."""
    path = claude.file("note.txt", f"the magic word is {WORD}\n")
    bed.will_say(step(call("Read", file_path=path)), step(text(f"It is {WORD}.")), step(text("Bye.")))
    assert claude.says("What is the magic word?", *READ) == f"It is {WORD}."
    bed.restart(forget=True)
    assert claude.says("Thank you.", "--continue", *READ) == "Bye."
    assert bed.gemini.refusals == []


def test_trouble_upstream_before_the_answer(bed: Bed, claude: ClaudeCode) -> None:
    bed.will_answer_first(overloaded())
    bed.will_say(step(text("Here I am.")))
    assert claude.says("Hello.") == "Here I am."


def test_trouble_that_reaches_the_client(claude_program: Path, tmp_path: Path) -> None:
    """With a single attempt each refusal is passed on, and Claude Code asks again."""
    with running_bed(tmp_path, "[gemini]\nmax_attempts = 1\n") as bed:
        bed.will_answer_first(overloaded(), error(429, retry_delay="1s"))
        bed.will_say(step(text("Here I am.")))
        assert ClaudeCode(claude_program, bed, tmp_path).says("Hello.") == "Here I am."
        assert len(bed.asked) == 3


def test_an_answer_that_breaks_off(bed: Bed, claude: ClaudeCode) -> None:
    """Told of the error within the stream, Claude Code asks for the whole answer instead."""
    chunks = [part_chunk({"text": "It is "}), part_chunk({"text": "not told."}, finish="STOP")]
    bed.will_answer_first(sse(chunks, cut_after=1))
    bed.will_say(step(text(f"It is {WORD}.")))
    assert claude.says("Tell me.") == f"It is {WORD}."
    assert bed.up.last.path.endswith(":generateContent")


def test_a_prompt_that_is_too_long(bed: Bed, claude: ClaudeCode) -> None:
    told = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
    bed.up.script = None
    bed.up.always = error(400, told)
    ran = claude.run("Hello.")
    assert ran.status == 1 and ran.out.startswith("Prompt is too long")
    assert "1200000" in ran.out and "1048576" in ran.out


def test_web_search(bed: Bed, claude: ClaudeCode) -> None:
    """Its search is a call of the model of its own. What it hands on are the texts and the pages found."""
    bed.will_say(step(call("WebSearch", query=QUERY)), step(text("Sunny.")))

    def script(request: Received) -> Answer | None:
        searching = b'"googleSearch"' in request.body
        return sse([grounded("It is sunny.", QUERY)]) if searching else bed.gemini.answer(request)

    bed.up.script = script
    assert claude.says("How is the weather in Rome?", "--allowedTools", "WebSearch") == "Sunny."
    (result,) = result_texts(bed.asked[-1])
    assert "It is sunny." in result and PAGE in result and "Rome today" in result
    signed(bed)


def test_a_tool_is_loaded_when_it_is_needed(bed: Bed, claude: ClaudeCode) -> None:
    """Most tools are only named at first; what a search for them returns is a reference to their declaration."""
    bed.will_say(
        step(call("ToolSearch", query="select:WebFetch", max_results=5)),
        step(call("ToolSearch", query="select:NotebookEdit", max_results=5)),
        step(text("Done.")),
    )
    assert claude.says("Load them.", "--allowedTools", "ToolSearch") == "Done."
    names = [{one["name"] for tool in asked["tools"] for one in tool["functionDeclarations"]} for asked in bed.asked]
    assert [[name in each for each in names] for name in ("WebFetch", "NotebookEdit")] == [
        [False, True, True],
        [False, False, True],
    ]
    first, second = result_texts(bed.asked[2])
    assert "WebFetch" in first and "NotebookEdit" in second
    signed(bed)


def test_an_image_in_a_result(bed: Bed, claude: ClaudeCode) -> None:
    path = claude.work / "pixel.png"
    path.write_bytes(base64.b64decode(PIXEL))
    bed.will_say(step(call("Read", file_path=str(path))), step(text("A pixel.")))
    assert claude.says("Look at pixel.png.", *READ) == "A pixel."
    (result,) = parts(bed.asked[1], "functionResponse")
    (shown,) = result["functionResponse"]["parts"]
    assert shown["inlineData"]["mimeType"].startswith("image/") and shown["inlineData"]["data"]


async def test_who_leaves_ends_the_work_upstream(bed: Bed, claude: ClaudeCode) -> None:
    bed.will_answer_first(sse([part_chunk({"text": "Well "}), part_chunk({"text": "then."})], stall_after=1))
    with claude.started("Hello.") as process:
        await bed.up.received(1, 30)
        assert not bed.up.client_gone.is_set()
        process.kill()
        await bed.up.client_gone.wait(15)


def test_an_answer_out_of_the_web_is_shown(bed: Bed, claude: ClaudeCode) -> None:
    """It asked for no search itself: the operator chose a model that does."""
    bed.will_answer_first(sse([part_chunk({"text": "Well. "}), grounded("It is sunny.", QUERY)]))
    assert "It is sunny." in claude.says("How is the weather?", "--model", "claude-gemini-3.8-flash-search")
    assert any("googleSearch" in tool for tool in bed.asked[0]["tools"])


def test_its_own_header_stays_here(bed: Bed, claude: ClaudeCode) -> None:
    """The first block of its system prompt is for billing, and changes from request to request."""
    bed.will_say(step(text("Hello.")))
    assert claude.says("Hello.") == "Hello."
    told = "".join(part["text"] for part in bed.asked[0]["systemInstruction"]["parts"])
    assert told.startswith("You are ") and "billing" not in told[:200]


def test_models_are_discovered(bed: Bed, claude: ClaudeCode) -> None:
    bed.will_say(step(text("Hello.")), step(text("Hello again.")))
    discover = {"CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"}
    assert claude.says("Hello.", extra=discover) == "Hello."
    found = json.loads((claude.home / ".claude" / "cache" / "gateway-models.json").read_text())
    names = [model["id"] for model in found["models"]]
    chosen = next(name for name in names if "gemini-2.5-flash" in name)
    assert all(model["display_name"] for model in found["models"])
    assert claude.says("Hello.", "--model", chosen) == "Hello again."
    assert chosen.endswith(bed.up.last.path.partition("/models/")[2].partition(":")[0])


def test_json_by_schema(bed: Bed, claude: ClaudeCode) -> None:
    bed.will_say(step(call("StructuredOutput", word=WORD)))
    schema = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
    report = claude.report("Tell me.", "--json-schema", json.dumps(schema))
    assert report["structured_output"] == {"word": WORD}


def test_reports_count_what_was_used(bed: Bed, claude: ClaudeCode) -> None:
    usage = {"promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 7, "totalTokenCount": 107}
    bed.will_answer_first(sse([part_chunk({"text": "Hello."}, finish="STOP", usageMetadata=usage)]))
    used = claude.report("Hello.")["usage"]
    told = (used["input_tokens"], used["cache_read_input_tokens"], used["output_tokens"])
    assert told == (40, 60, 7)


def test_a_wrong_key_is_told_at_once(bed: Bed, claude: ClaudeCode) -> None:
    """It asks again for a minute where nobody says that nothing will change."""
    ran = claude.run("Hello.", extra={"ANTHROPIC_AUTH_TOKEN": "gg-wrong-0123456789abcdef"})
    assert ran.status == 1 and ran.out.strip(), ran
    assert bed.gateway.log().count("POST /v1/messages") == 1 and bed.up.requests == []
