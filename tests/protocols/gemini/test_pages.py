from msgspec import Raw

from gemgate.hub.events import Finish, Page, PagesRead
from gemgate.protocols.gemini.pages import pages
from tests.protocols.replaying import chunk, read


def test_pages_and_whether_they_were_read() -> None:
    """`g-ccab06a42407`; a status may come as a number."""
    raw = Raw(
        b'{"urlMetadata":[{"retrievedUrl":"https://a","urlRetrievalStatus":"URL_RETRIEVAL_STATUS_SUCCESS"},'
        b'{"retrievedUrl":"https://b","urlRetrievalStatus":"URL_RETRIEVAL_STATUS_ERROR"},'
        b'{"retrievedUrl":"https://c","urlRetrievalStatus":1},{"urlRetrievalStatus":1}]}'
    )
    assert pages(raw) == (Page("https://a", read=True), Page("https://b", read=False), Page("https://c", read=True))


def test_garbage_is_no_page() -> None:
    for raw in (b"5", b"[]", b'{"urlMetadata":5}', b'{"urlMetadata":[5]}', b"{}", b"null", b'{"urlMetadata":null}'):
        assert pages(Raw(raw)) == ()


def test_pages_are_told_where_they_come_and_kept_for_their_own_format() -> None:
    meta = {"urlMetadata": [{"retrievedUrl": "https://a", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"}]}
    batches = read([chunk({"text": "one"}, urlContextMetadata=meta), chunk(finishReason="STOP")])
    events = [event for batch in batches for event in batch]
    assert PagesRead(0, (Page("https://a", read=True),)) in events
    finish = next(event for event in events if isinstance(event, Finish))
    assert finish.vendor is not None and "urlMetadata" in finish.vendor.raw
