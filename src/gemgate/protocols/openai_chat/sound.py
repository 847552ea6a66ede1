"""Spoken answers, as this format holds them."""

import re
import struct
from base64 import b64decode, b64encode
from collections.abc import Sequence

from gemgate.errors import UpstreamError
from gemgate.hub.parts import Inline, Media
from gemgate.protocols.openai_chat.style import AudioFormat

RATE = re.compile(r"rate=(\d{4,6})")
RAW = re.compile(r"audio/(?:L16|pcm)\b", re.IGNORECASE)
DEFAULT_RATE = 24_000
SAMPLE_BYTES = 2
STEP_BYTES = 6
"""Whole samples, and three bytes are four characters of base64."""


def is_speech(part: Media) -> bool:
    """Whether a part is sound carried in the reply itself."""
    return part.mime_type.startswith("audio/") and isinstance(part.source, Inline)


def audio_object(audio_id: str, pieces: Sequence[Media], form: AudioFormat) -> dict[str, object]:
    """Give sound: the upstream's own samples (16 bit, little-endian, mono), or a WAV file of them."""
    texts = [piece.source.text for piece in pieces if isinstance(piece.source, Inline)]
    data = texts[0] if len(texts) == 1 else _joined(texts)
    if form == "wav" and RAW.match(pieces[0].mime_type):
        data = b64encode(_wav(_decoded(data), _rate(pieces[0].mime_type))).decode()
    return {"id": audio_id, "data": data, "expires_at": 0, "transcript": ""}


class Speech:
    """Sound of a stream, cut so that its pieces are whole samples and their base64 put together is base64 again."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = b""

    def add(self, piece: Media) -> str:
        """Give as much as there is; may be empty."""
        assert isinstance(piece.source, Inline)
        data = self._left + _decoded(piece.source.text)
        whole = len(data) - len(data) % STEP_BYTES
        self._left = data[whole:]
        return b64encode(data[:whole]).decode()

    def rest(self) -> str:
        """Give what is left at the end."""
        return b64encode(self._left).decode()


def _joined(texts: Sequence[str]) -> str:
    """Join pieces of base64, each padded by itself."""
    return b64encode(b"".join(_decoded(text) for text in texts)).decode()


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text)
    except ValueError as error:
        raise UpstreamError("The upstream's sound is not base64.") from error


def _rate(mime_type: str) -> int:
    found = RATE.search(mime_type)
    return int(found[1]) if found else DEFAULT_RATE


def _wav(samples: bytes, rate: int) -> bytes:
    """Put a header before samples; despite the name L16 they are little-endian (notes §9.2)."""
    size = len(samples)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    return b"RIFF" + struct.pack("<I", 36 + size) + b"WAVE" + form + b"data" + struct.pack("<I", size) + samples
