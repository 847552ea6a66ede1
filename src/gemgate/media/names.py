"""Looking host names up, away from everything else that does."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

LOOKUPS_AT_ONCE = 8


class Names:
    """Resolves host names in threads of its own: names that never resolve hold up media, and nobody else's."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE, "media-names")

    async def addresses(self, host: str, port: int) -> list[str]:
        """Give a host's IP addresses, the best to connect to first; raises `OSError`."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [str(place[0]) for _, _, _, _, place in found]

    def close(self) -> None:
        """Let the threads end, without waiting for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)
