"""The state machine of one connection, on a transport and a clock of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from gemgate.net.connection import (
    HIGH_WATER_BYTES,
    Connection,
    DeadlineError,
    Deadlines,
    NetworkError,
    Response,
)

HEAD = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"
DEADLINES = Deadlines(first_byte_seconds=300.0, silence_seconds=120.0)


class Clock:
    """A loop whose time is a number; timers run when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None]) -> "Timer":
        timer = Timer(when, call)
        self.timers.append(timer)
        return timer

    def create_future(self) -> "asyncio.Future[None]":
        return asyncio.get_running_loop().create_future()

    @property
    def pending(self) -> "list[Timer]":
        return [timer for timer in self.timers if not timer.done]

    def pass_to(self, when: float) -> None:
        """Let time pass, running what is due on the way."""
        while due := sorted((timer for timer in self.pending if timer.when <= when), key=lambda timer: timer.when):
            self.now = max(self.now, due[0].when)
            due[0].done = True
            due[0].call()
        self.now = when


class Timer:
    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when, self.call, self.done = when, call, False

    def cancel(self) -> None:
        self.done = True


class Wire:
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.calls: list[str] = []
        self.closing = False
        self.connection: Connection | None = None

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self._end("abort")

    def close(self) -> None:
        self._end("close")

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def _end(self, how: str) -> None:
        assert self.connection is not None
        self.calls.append(how)
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)


class Bench:
    """A connection with everything around it."""

    def __init__(self, deadlines: Deadlines = DEADLINES) -> None:
        self.released: list[Connection] = []
        self.connection = Connection(self.released.append, deadlines)
        self.clock = Clock()
        self.connection._loop = cast(Any, self.clock)
        self.wire = Wire()
        self.wire.connection = self.connection
        self.connection.connection_made(cast(Any, self.wire))
        self.tasks: list[asyncio.Task[Response]] = []

    async def begin(self, body: Any = b"", **how: bool) -> "asyncio.Task[Response]":
        task = asyncio.create_task(self.connection.exchange(HEAD, body, **how))
        await turns()
        return task

    async def begun(self, *data: bytes) -> Response:
        task = await self.begin()
        for piece in data:
            self.connection.data_received(piece)
        return await task


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def chunked(size: int) -> bytes:
    return b"%x\r\n%b\r\n" % (size, bytes(size))


OPENED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_a_whole_answer_releases_the_connection_and_leaves_no_timer() -> None:
    bench = Bench()
    response = await bench.begun(WHOLE)
    assert bench.released == [bench.connection]
    assert bench.clock.pending == []
    assert response.complete and not response.exhausted
    assert await response.read() == b"ok"


async def test_all_chunks_of_one_read_come_in_one_piece() -> None:
    bench = Bench()
    response = await bench.begun(OPENED + b"1\r\na\r\n1\r\nb\r\n")
    assert await response.read() == b"ab"


async def test_the_reader_is_woken_once_for_each_read_of_the_socket() -> None:
    bench = Bench()
    response = await bench.begun(OPENED)
    reading = asyncio.create_task(response.read())
    await turns()
    bench.connection.data_received(b"1\r\na\r\n1\r\nb\r\n")
    bench.connection.data_received(b"1\r\nc\r\n")
    assert await reading == b"abc"


async def test_pausing_and_resuming() -> None:
    bench = Bench()
    response = await bench.begun(OPENED + chunked(HIGH_WATER_BYTES - 1))
    assert bench.wire.calls == []
    bench.connection.data_received(chunked(1))
    bench.connection.data_received(chunked(1))
    assert bench.wire.calls == ["pause"]
    assert len(await response.read()) == HIGH_WATER_BYTES + 1
    assert bench.wire.calls == ["pause", "resume"]
    bench.connection.data_received(chunked(HIGH_WATER_BYTES))
    assert bench.wire.calls == ["pause", "resume", "pause"]


async def test_a_paused_connection_is_released_reading() -> None:
    bench = Bench()
    response = await bench.begun(OPENED + chunked(HIGH_WATER_BYTES))
    assert bench.wire.calls == ["pause"]
    bench.connection.data_received(b"0\r\n\r\n")  # had been read already
    assert bench.wire.calls == ["pause", "resume"]
    assert bench.released
    assert len(await response.read()) == HIGH_WATER_BYTES
    assert bench.wire.calls == ["pause", "resume"]


async def test_an_answer_that_comes_whole_pauses_nothing() -> None:
    bench = Bench()
    response = await bench.begun(OPENED + chunked(2 * HIGH_WATER_BYTES) + b"0\r\n\r\n")
    assert bench.wire.calls == [] and bench.released
    assert len(await response.read()) == 2 * HIGH_WATER_BYTES


async def test_an_answer_on_a_paused_connection_that_closes_is_complete() -> None:
    bench = Bench()
    response = await bench.begun(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(HIGH_WATER_BYTES))
    bench.connection.connection_lost(None)
    assert len(await response.read_all(HIGH_WATER_BYTES)) == HIGH_WATER_BYTES
    assert bench.released == []


# Deadlines.


async def test_the_first_byte_has_its_full_time() -> None:
    bench = Bench()
    task = await bench.begin()
    bench.clock.pass_to(1299.9)
    await turns()
    assert not task.done()
    bench.clock.pass_to(1300.0)
    with pytest.raises(DeadlineError, match="took too long"):
        await task
    assert "abort" in bench.wire.calls
    await turns()
    assert bench.clock.pending == []


async def test_an_interim_answer_gives_the_real_one_its_full_time() -> None:
    bench = Bench()
    task = await bench.begin()
    bench.clock.pass_to(1100.0)
    bench.connection.data_received(b"HTTP/1.1 100 Continue\r\n\r\n")
    bench.clock.pass_to(1399.0)
    await turns()
    assert not task.done()
    bench.clock.pass_to(1400.0)
    with pytest.raises(DeadlineError):
        await task


async def test_silence_counts_from_the_last_byte() -> None:
    bench = Bench()
    response = await bench.begun(OPENED)
    reading = asyncio.create_task(response.read())
    for moment in (1010.0, 1129.0, 1248.0):
        bench.clock.pass_to(moment)
        bench.connection.data_received(b"1\r\na\r\n")
        await turns()
        assert await reading == b"a"
        reading = asyncio.create_task(response.read())
        await turns()
    bench.clock.pass_to(1367.9)
    await turns()
    assert not reading.done()
    bench.clock.pass_to(1368.0)
    with pytest.raises(DeadlineError, match="went silent"):
        await reading


async def test_a_reader_that_is_away_is_no_silence() -> None:
    bench = Bench()
    response = await bench.begun(OPENED + b"1\r\na\r\n")
    bench.clock.pass_to(9999.0)
    assert "abort" not in bench.wire.calls
    assert await response.read() == b"a"
    bench.connection.data_received(b"1\r\nb\r\n")
    assert await response.read() == b"b"


async def test_an_upstream_that_was_held_back_has_its_full_time_again() -> None:
    bench = Bench()
    response = await bench.begun(OPENED + chunked(HIGH_WATER_BYTES))
    bench.clock.pass_to(1119.0)
    await response.read()
    reading = asyncio.create_task(response.read())
    await turns()
    bench.clock.pass_to(1238.9)
    await turns()
    assert not reading.done()
    bench.clock.pass_to(1239.0)
    with pytest.raises(DeadlineError):
        await reading


async def test_a_body_that_is_not_taken_has_a_deadline() -> None:
    bench = Bench()
    bench.connection.pause_writing()
    task = await bench.begin(bytes(1_000_000))
    bench.clock.pass_to(1299.0)
    await turns()
    assert not task.done()
    bench.clock.pass_to(1300.0)
    with pytest.raises(DeadlineError, match="took too long"):
        await task


async def test_each_piece_that_is_taken_gives_the_upstream_its_time_again() -> None:
    bench = Bench()
    bench.connection.pause_writing()
    task = await bench.begin(bytes(600_000))
    for moment in (1200.0, 1400.0, 1600.0):
        bench.clock.pass_to(moment)
        bench.connection.resume_writing()
        bench.connection.pause_writing()  # full again with the very next piece
        await turns()
        assert not task.done()
    bench.connection.resume_writing()
    await turns()
    assert len(bench.wire.written) == len(HEAD) + 600_000
    bench.clock.pass_to(1890.0)
    bench.connection.data_received(WHOLE)
    assert (await task).complete


async def test_a_client_that_sends_slowly_has_no_deadline_here() -> None:
    bench = Bench()
    more = asyncio.Event()

    async def stream() -> AsyncIterator[bytes]:
        yield b"a"
        await more.wait()
        yield b"b"

    task = await bench.begin(stream(), chunked=True)
    bench.clock.pass_to(99999.0)
    more.set()
    await turns()
    bench.connection.data_received(WHOLE)
    assert (await task).complete
    assert bench.wire.written == HEAD + b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"


async def test_an_early_answer_read_slowly_is_no_silence() -> None:
    bench = Bench()
    bench.connection.pause_writing()
    task = await bench.begin(bytes(1_000_000))
    bench.connection.data_received(OPENED + b"1\r\na\r\n")
    response = await task
    bench.clock.pass_to(9999.0)
    assert await response.read() == b"a"
    assert "abort" not in bench.wire.calls


# Ends of all kinds.


async def test_an_early_answer_frees_the_writer_and_not_the_connection() -> None:
    bench = Bench()
    bench.connection.pause_writing()
    task = await bench.begin(bytes(1_000_000))
    bench.connection.data_received(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n")
    response = await task
    bench.connection.data_received(b"no")
    assert await response.read() == b"no"
    assert bench.released == []
    assert bench.wire.calls == ["abort"]
    assert len(bench.wire.written) < 1_000_000


async def test_an_answer_after_the_whole_body_keeps_the_connection() -> None:
    bench = Bench()
    task = await bench.begin(bytes(1_000_000))
    bench.connection.data_received(WHOLE)
    await task
    assert bench.released == [bench.connection]
    assert bench.wire.calls == []


async def test_a_connection_lost_before_its_first_exchange() -> None:
    bench = Bench()
    bench.connection.connection_lost(None)
    assert not bench.connection.alive
    with pytest.raises(NetworkError, match="broke off"):
        await bench.connection.exchange(HEAD, b"")


async def test_cancelling_an_exchange_aborts_and_leaves_nothing() -> None:
    bench = Bench()
    bench.connection.pause_writing()
    task = await bench.begin(bytes(1_000_000))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bench.connection.resume_writing()  # the socket may still say so
    bench.connection.data_received(WHOLE)  # and the answer may still come
    await turns()
    assert bench.released == []
    assert bench.clock.pending == []
    bench.connection.data_received(WHOLE)
    bench.connection.connection_lost(None)


async def test_a_reader_that_is_cancelled_may_come_back() -> None:
    bench = Bench()
    response = await bench.begun(OPENED)
    reading = asyncio.create_task(response.read())
    await turns()
    assert response.waited_for
    reading.cancel()
    await asyncio.wait([reading])
    assert not response.waited_for
    bench.connection.data_received(b"1\r\na\r\n0\r\n\r\n")
    assert await response.read() == b"a"
    assert await response.read() == b""
    assert bench.released == [bench.connection]


async def test_closing_wakes_a_reader_that_waits() -> None:
    bench = Bench()
    response = await bench.begun(OPENED)
    reading = asyncio.create_task(response.read())
    await turns()
    await response.aclose()
    with pytest.raises(NetworkError, match="broke off"):
        await reading
    assert bench.wire.calls == ["abort"]
    assert bench.clock.pending == []


async def test_what_came_before_the_end_is_read_first() -> None:
    bench = Bench()
    response = await bench.begun(OPENED + b"1\r\na\r\n")
    bench.connection.connection_lost(ConnectionResetError())
    assert await response.read() == b"a"
    for _ in range(2):
        with pytest.raises(NetworkError, match="broke off"):
            await response.read()


async def test_a_second_answer_in_the_same_read_is_dropped_with_its_connection() -> None:
    bench = Bench()
    response = await bench.begun(WHOLE + WHOLE.replace(b"ok", b"no"))
    assert await response.read_all(10) == b"ok"
    assert bench.wire.calls == ["abort"]
    assert not bench.connection.alive


async def test_silence_counts_from_when_a_reader_begins_to_wait() -> None:
    """What the reader was busy with is no fault of the upstream."""
    bench = Bench()
    response = await bench.begun(OPENED + b"1\r\na\r\n")
    bench.clock.pass_to(1119.0)
    assert await response.read() == b"a"
    reading = asyncio.create_task(response.read())
    await turns()
    bench.clock.pass_to(1238.9)
    await turns()
    assert not reading.done()
    bench.clock.pass_to(1239.0)
    with pytest.raises(DeadlineError, match="went silent"):
        await reading
