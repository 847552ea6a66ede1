"""Thought signatures for clients that lose them: remembered when the model signs, put back when the history returns.

Models refuse, or answer worse, when what they signed comes back unsigned, and most clients keep only what their
own format names. So what was signed is kept for a day, for each caller, under what any client does give back: the ids
of calls, the words of the user and of the model.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct, msgpack
from msgspec.structs import replace

from gemgate.hub.call import Function, Generate
from gemgate.hub.parts import Message, Opaque, Part, Text, ToolCall
from gemgate.pipeline.contracts import Filled
from gemgate.pipeline.recall.keys import is_speech, last_speech, words
from gemgate.pipeline.recall.memory import RecentRows
from gemgate.pipeline.recall.pieces import Piece, Record, pieces, restored
from gemgate.pipeline.recall.watch import Watch
from gemgate.store.protocols import SignatureStore
from gemgate.store.trouble import Trouble

KEPT_SECONDS = 24 * 3600
RECALL_SECONDS = 2.0
"""Longer than this no request waits for a store in trouble."""
MAX_WANTED = 2_000
"""Of a longer history only the latest is looked up."""
LATEST_TEXTS = 8
"""How many texts are looked up, the latest first: no model insists on them, and long histories have many."""
ABSENT_SECONDS = 60.0
"""How long this process remembers that the store knows nothing of a key."""
ABSENT = b""
"""In the place of a record: there is none, or it has been refused."""
MEMORY_BYTES = 32 << 20

_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(Record).decode


class Recall:
    """Remembers what models sign; `seconds` gives Unix seconds. Trouble with the store never fails a request."""

    def __init__(self, store: SignatureStore, seconds: Callable[[], float]) -> None:
        self._store = store
        self._seconds = seconds
        self._recent = RecentRows(MEMORY_BYTES)
        self._trouble = Trouble(seconds)

    async def filled(self, call: Generate, caller_id: str, family: str, *, everything: bool) -> Filled:
        """Put back what the caller's client has lost of its history: signatures, and parts that it does not know.

        `family` names the models that understand the signatures; without `everything` only calls are looked up.
        """
        wanted = _wanted(call, caller_id, everything=everything)
        if not wanted:
            return Filled(call)
        texts = {item.key for item in wanted if item.piece.anchor is None}
        found = await self._find(list(dict.fromkeys(item.key for item in wanted)), texts)
        parts: dict[int, list[Part]] = {}
        names: dict[bytes, None] = {}
        for item in wanted:
            record = found.get(item.key)
            if record is None or record.family != family:
                continue
            names[item.key] = None
            original = call.messages[item.message].parts
            changed = parts.setdefault(item.message, list(original))
            # The pieces come last first, so the places of the others still hold.
            changed[item.piece.start : item.piece.stop] = restored(item.piece, record, original)
        if not parts:
            return Filled(call)
        messages = list(call.messages)
        for index, changed in parts.items():
            messages[index] = Message(messages[index].role, tuple(changed))
        return Filled(replace(call, messages=tuple(messages)), tuple(names))

    def forget(self, names: Sequence[bytes]) -> None:
        """Put these back no more, whichever process is asked; what is signed anew under the same name will be."""
        now, absent = self._seconds(), dict.fromkeys(names, ABSENT)
        self._recent.add(absent, now + ABSENT_SECONDS)
        self._store.remember(absent, now + KEPT_SECONDS)

    def watch(self, call: Generate, caller_id: str, family: str) -> Watch:
        """Watch the reply to a call."""
        return Watch(self._remember, caller_id, family, last_speech(call.messages))

    async def _find(self, keys: list[bytes], texts: set[bytes]) -> dict[bytes, Record]:
        now = self._seconds()
        rows = self._recent.find(keys, now)
        missing = [key for key in keys if key not in rows]
        if missing:
            try:
                async with asyncio.timeout(RECALL_SECONDS):
                    stored = await self._store.recall(missing)
            except Exception as error:  # whatever it is, the request goes on without
                self._trouble.tell("signatures cannot be recalled", error)
            else:
                rows |= stored
                # Of texts alone: another process may be writing a call's signature, which models insist on.
                absent = [key for key in missing if key in texts and key not in stored]
                known = self._recent.find(absent, now)
                self._recent.add({key: ABSENT for key in absent if key not in known}, now + ABSENT_SECONDS)
        return dict(_records(rows))

    def _remember(self, records: Mapping[bytes, Record]) -> None:
        rows = {key: _encode(record) for key, record in records.items()}
        expires_at = self._seconds() + KEPT_SECONDS
        self._recent.add(rows, expires_at)
        self._store.remember(rows, expires_at)


def _records(rows: Mapping[bytes, bytes]) -> Iterator[tuple[bytes, Record]]:
    for key, row in rows.items():
        if row == ABSENT:
            continue
        try:
            yield key, _decode(row)
        except msgspec.MsgspecError:
            continue  # of another version


class _Wanted(Struct, frozen=True, gc=False):
    """A piece that lacks what may be remembered of it; `message` is the place of its message."""

    key: bytes
    message: int
    piece: Piece


def _wanted(call: Generate, caller_id: str, *, everything: bool) -> list[_Wanted]:
    """List the pieces to look up, the latest first."""
    wanted: list[_Wanted] = []
    if not everything and _is_text(call.messages):
        return wanted
    served = any(not isinstance(tool, Function) for tool in call.tools)
    said = _Said(call.messages)
    texts = LATEST_TEXTS if everything else 0
    for number in range(len(call.messages) - 1, -1, -1):
        message = call.messages[number]
        if message.role != "model" or (texts <= 0 and _is_text((message,))):
            continue
        # Tools that the upstream ran leave traces around calls, which only its own format carries.
        signed_too = served and not any(isinstance(part, Opaque) for part in message.parts)
        for piece in reversed(pieces(message.parts)):
            is_call = isinstance(piece.anchor, ToolCall)
            if (everything or is_call) and (piece.bare or (signed_too and is_call)):
                wanted.append(_Wanted(piece.key(caller_id, b"" if is_call else said.before(number)), number, piece))
                if len(wanted) == MAX_WANTED:
                    return wanted
        texts -= 1
    return wanted


def _is_text(messages: Sequence[Message]) -> bool:
    """Whether the messages hold text and nothing else; written out because every request asks."""
    for message in messages:
        for part in message.parts:
            if type(part) is not Text:
                return False
    return True


class _Said:
    """What the user had said last before each message."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._place = len(messages)
        self._words: bytes | None = None

    def before(self, number: int) -> bytes:
        """Tell the last words before the message of this number; to be asked for from the last to the first."""
        if self._words is None or self._place >= number:
            self._place = next((at for at in range(number - 1, -1, -1) if is_speech(self._messages[at])), -1)
            self._words = words(self._messages[self._place] if self._place >= 0 else None)
        return self._words
