"""Proxies that understand one thing each."""

import asyncio

from tests.net.server import Peer


async def splice(peer: Peer, port: int) -> None:
    """Join a client to a local port, both ways, until one side ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()

    pumps = [asyncio.create_task(pump(peer.reader, writer)), asyncio.create_task(pump(reader, peer.writer))]
    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    for task in pumps:
        task.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)
    writer.close()


class HttpProxy:
    """Understands CONNECT and nothing else."""

    def __init__(self, port: int, status: str = "200 Connection established") -> None:
        self.port, self.status = port, status
        self.heads: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        self.heads.append(await peer.head())
        await peer.send(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
        if self.status.startswith("200"):
            await splice(peer, self.port)


class SocksProxy:
    """RFC 1928, with user name and password (RFC 1929) if it has one."""

    def __init__(self, port: int, password: bytes = b"") -> None:
        self.port, self.password = port, password
        self.asked: list[tuple[bytes, int]] = []
        self.offered: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        read = peer.reader.readexactly
        version, count = await read(2)
        assert version == 5
        methods = await read(count)
        assert (2 if self.password else 0) in methods
        await peer.send(b"\x05\x02" if self.password else b"\x05\x00")
        if self.password:
            assert await read(1) == b"\x01"
            user = await read((await read(1))[0])
            password = await read((await read(1))[0])
            self.offered += [user, password]
            await peer.send(b"\x01\x00" if password == self.password else b"\x01\x01")
            if password != self.password:
                return
        assert await read(3) == b"\x05\x01\x00"
        kind = (await read(1))[0]
        assert kind in (1, 3)
        name = await read(4 if kind == 1 else (await read(1))[0])
        self.asked.append((name, int.from_bytes(await read(2), "big")))
        await peer.send(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x01")
        await splice(peer, self.port)
