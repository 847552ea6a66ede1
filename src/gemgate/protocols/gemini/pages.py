"""Pages that the model was told to read: URL context metadata → the hub's."""

import msgspec
from msgspec import Raw, Struct, json

from gemgate.hub.events import Page

READ = ("URL_RETRIEVAL_STATUS_SUCCESS", 1)


class _Retrieval(Struct, rename="camel"):
    retrieved_url: str = ""
    url_retrieval_status: str | int = ""


class _Metadata(Struct, rename="camel"):
    url_metadata: list[_Retrieval] = []


_decode = json.Decoder(_Metadata).decode


def pages(raw: Raw) -> tuple[Page, ...]:
    """List the pages that the metadata names; what cannot be read names none (`g-ccab06a42407`)."""
    try:
        found = _decode(raw)
    except msgspec.MsgspecError:
        return ()
    named = (page for page in found.url_metadata if page.retrieved_url)
    return tuple(Page(page.retrieved_url, page.url_retrieval_status in READ) for page in named)
