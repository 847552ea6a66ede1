"""Responses that outlive their request, their connection and their server."""

import asyncio
import signal
import sqlite3
from typing import Any

from tests.bed.upstream import Gate, sse, stall, text_chunks
from tests.e2e.bed import FLASH, Bed, running_bed, until

ASKED: dict[str, Any] = {"model": FLASH, "input": "hi", "background": True}


async def begun(bed: Bed, **more: Any) -> str:
    made = await bed.ask("POST", "/v1/responses", ASKED | more)
    assert made.status == 200 and made.json["status"] == "queued"
    await bed.up.received(1)
    return made.json["id"]


def kept(bed: Bed, response_id: str) -> str:
    """The status that the database has of it."""
    with sqlite3.connect(bed.gateway.data_dir / "gemgate.sqlite3") as connection:
        (status,) = connection.execute("SELECT status FROM responses WHERE id = ?", (response_id,)).fetchone()
    return status


async def test_work_in_the_background_ends_before_the_server_does() -> None:
    gate = Gate(1)
    with running_bed() as bed:
        bed.up.always = sse(text_chunks("one ", "two"), gate=gate)
        response_id = await begun(bed)
        bed.gateway.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            while (await bed.ask("GET", "/ready", key=None)).status != 503:
                await asyncio.sleep(0.01)
        gate.open()
        assert await asyncio.to_thread(bed.gateway.process.wait, 10) == 0
        assert kept(bed, response_id) == "completed"


async def test_work_that_does_not_end_in_time_has_failed() -> None:
    with running_bed(toml="[server]\ndrain_seconds = 0.3\n") as bed:
        bed.up.always = stall()
        response_id = await begun(bed)
        assert await asyncio.to_thread(bed.gateway.stop, 12) == 0
        assert kept(bed, response_id) == "failed"
        await until(lambda: bed.up.last.gone.is_set())


async def test_what_one_process_works_on_any_can_tell() -> None:
    gate = Gate(1)
    with running_bed(toml="[server]\nworkers = 2\n") as bed:
        bed.up.always = sse(text_chunks("one ", "two"), gate=gate)
        response_id = await begun(bed)
        for _ in range(8):  # each by a connection of its own, so that both are asked
            assert (await bed.ask("GET", f"/v1/responses/{response_id}")).json["status"] in ("queued", "in_progress")
        gate.open()
        async with asyncio.timeout(10):
            while (await bed.ask("GET", f"/v1/responses/{response_id}")).json["status"] != "completed":
                await asyncio.sleep(0.05)
        following = {"model": FLASH, "stream": True, "input": "more", "previous_response_id": response_id}
        for _ in range(8):
            assert (await bed.ask("POST", "/v1/responses", following)).status == 200
