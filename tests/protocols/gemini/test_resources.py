"""Whose is what: names in requests, in replies and in lists."""

import json
import mmap
import time

import pytest
from hypothesis import given, settings

from gemgate.protocols.gemini.resources import (
    DAY_SECONDS,
    GRACE_SECONDS,
    Made,
    is_collection,
    made,
    owned_name,
    read_page,
    references,
    write_page,
)
from tests.bed.recordings import load_recordings, needs_recordings
from tests.protocols.fuzzing import documents

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("files/abc", "files/abc"),
        ("files/abc:download", "files/abc"),
        ("fileSearchStores/x/documents/y", "fileSearchStores/x"),
        ("models/veo/operations/op-1", "models/veo/operations/op-1"),
        ("models/veo:predict", None),
        ("models", None),
        ("files", None),
        ("files:register", None),
        ("files/", "files/"),
        ("files/a:b/c", "files/a"),
        ("files/a b", "files/a b"),
        ("batches/b:cancel", "batches/b"),
        ("anything/new", "anything/new"),
        ("anything/new/below/it:do", "anything/new"),
        ("fileSearchStores/x:uploadToFileSearchStore", "fileSearchStores/x"),
        ("tunedModels/mine:generateContent", "tunedModels/mine"),
        ("models/veo", None),
        ("models/veo/operations", None),
        ("models/veo/operations/", "models/veo/operations/"),
        ("models/veo/operations/op-1:cancel", "models/veo/operations/op-1"),
        ("models/veo/operations/op-1/below", "models/veo/operations/op-1"),
        ("models/veo/permissions/p", "models/veo/permissions/p"),
    ],
)
def test_owned_names(path: str, name: str | None) -> None:
    """What lies below a collection is owned, also where this server does not know it."""
    assert owned_name(path) == name


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("files", True),
        ("anything", True),
        ("models/veo/operations", True),
        ("models", False),
        ("models/veo", False),
        ("models/veo/operations/o", False),
        ("files/a", False),
        ("fileSearchStores/x/documents", False),  # the store's owner decides
    ],
)
def test_collections(path: str, is_one: bool) -> None:
    assert is_collection(path) is is_one


def test_references() -> None:
    body = json.dumps(
        {
            "cachedContent": "cachedContents/c1",
            "contents": [
                {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/f-1"}},
                {"file_data": {"file_uri": "files/f2"}},
                {"text": "see files/no and 'files/neither'"},
                {"text": 'quoted "files/inner" text'},
                {"fileUri": "files/f2"},
            ],
            "stores": ["fileSearchStores/s"],
            "previous_interaction_id": "v1_abc",
        }
    ).encode()
    assert set(references(body)) == {
        "cachedContents/c1",
        "files/f-1",
        "files/f2",
        "fileSearchStores/s",
        "interactions/v1_abc",
    }
    assert len(references(body)) == 5
    assert references(b'{"contents":"hello"}') == []


@pytest.mark.parametrize(
    "said",
    [
        r'"files\/a"',
        r'"\u0066iles/a"',
        r'"files\u002fa"',
        r'"files\u002Fa"',
        r'"https:\/\/generativelanguage.googleapis.com\/v1beta\/files\/a"',
        '"files/a?alt=media"',
        '"files/a/"',
        '"files/a:download"',
        '"files/a#x"',
        '"https://host/v1beta/files/a:download?alt=media"',
    ],
)
def test_a_name_is_seen_however_it_is_spelled(said: str) -> None:
    assert references(f'{{"contents":[{{"fileData":{{"fileUri":{said}}}}}]}}'.encode()) == ["files/a"]


@pytest.mark.parametrize(
    "name",
    [
        "batches/b",
        "corpora/c",
        "credentials/c",
        "environments/e",
        "tunedModels/t",
        "voices/v",
        "agents/a",
        "webhooks/w",
    ],
)
def test_every_collection_is_looked_for(name: str) -> None:
    assert references(json.dumps({"x": {"y": name}}).encode()) == [name]


@pytest.mark.parametrize("key", ["previous_interaction_id", "previousInteractionId", r"previous\u005finteraction_id"])
def test_the_interaction_before_is_seen(key: str) -> None:
    assert references(f'{{"{key}" : "v1_a.b"}}'.encode()) == ["interactions/v1_a.b"]


@pytest.mark.parametrize(
    "body",
    [
        rb'{"x": "files\/a"',
        rb'{"x":"files/a","y":"\/","z":1e400}',
        rb'{"x":"\u0066iles/a","z":"\ud800"}',
        b'{"x":"files/a","y":"\\/\xff"}',
        b'{"x":"files/a","y":"\\/\\u00e9\\u4e00\\u12"}',
        b'{"y":"\\/","x":"files/a","z":' + b"[" * 5000 + b"]" * 5000 + b"}",
        rb'{"y":"\/","x":"files/a","x":""}',
        rb'{"y":"\\","x":"files\u002fa"}',
    ],
)
def test_what_no_decoder_takes_is_searched_all_the_same(body: bytes) -> None:
    """An upstream may read more than this server does; nobody's file is named unseen."""
    assert references(body) == ["files/a"]


@pytest.mark.parametrize("text", [r"say \u0022files/a\u0022 \/", r"say \"files/a\" \/", r"\u005cu0066iles/a \/"])
def test_names_within_a_text_are_no_references(text: str) -> None:
    """Some clients escape quotes by number."""
    assert references(f'{{"text":"{text}"}}'.encode()) == []


def test_mapped_bodies_are_searched_too() -> None:
    body = rb'{"x":"files\/a"}'
    with mmap.mmap(-1, len(body)) as mapped:
        mapped.write(body)
        assert references(mapped) == ["files/a"]


@pytest.mark.parametrize("escapes", [rb"\/", rb"\u002b", rb"a\u002B\/"])
def test_escapes_without_end_are_no_work(escapes: bytes) -> None:
    body = b'{"x":"files/a","y":"%s"}' % (escapes * 300_000)
    begun = time.process_time()
    assert references(body) == ["files/a"]
    assert time.process_time() - begun < 3


@pytest.mark.parametrize(
    ("body", "collection", "expected"),
    [
        (
            {"file": {"name": "files/a", "expirationTime": "2027-01-15T08:00:00.123456789Z"}},
            "files",
            [("files/a", None)],
        ),
        (
            {"name": "cachedContents/c", "expireTime": "2027-01-15T08:00:00Z"},
            "cachedContents",
            [("cachedContents/c", None)],
        ),
        ({"name": "batches/b"}, "batches", [("batches/b", NOW + 3650 * DAY_SECONDS + GRACE_SECONDS)]),
        (
            {"name": "models/m/operations/o"},
            "models",
            [("models/m/operations/o", NOW + 7 * DAY_SECONDS + GRACE_SECONDS)],
        ),
        (
            {"id": "v1_x", "outputs": []},
            "interactions",
            [("interactions/v1_x", NOW + 56 * DAY_SECONDS + GRACE_SECONDS)],
        ),
        ({"name": "files/a", "expirationTime": "soon"}, "files", [("files/a", NOW + 2 * DAY_SECONDS + GRACE_SECONDS)]),
        ({"error": {"code": 404}}, "files", []),
        ({}, "files", []),
        (
            {
                "done": True,
                "response": {
                    "video": {"uri": "https://host/v1beta/files/v1:download?alt=media"},
                    "responsesFile": "files/r",
                },
            },
            "batches",
            [("files/v1", NOW + 2 * DAY_SECONDS + GRACE_SECONDS), ("files/r", NOW + 2 * DAY_SECONDS + GRACE_SECONDS)],
        ),
    ],
)
def test_what_a_reply_tells_of(body: object, collection: str, expected: list[tuple[str, float | None]]) -> None:
    found = made(json.dumps(body).encode(), collection, NOW)
    stated = 1_800_000_000 + GRACE_SECONDS  # 2027-01-15T08:00:00Z
    assert [each.name for each in found] == [name for name, _ in expected]
    for each, (_, expiry) in zip(found, expected, strict=True):
        assert each.expires_at == pytest.approx(expiry or stated, abs=1)


@settings(deadline=None, max_examples=150)
@given(documents(["name", "id", "file", "expireTime", "interaction", "files", "nextPageToken"]))
def test_no_reply_crashes(document: object) -> None:
    body = json.dumps(document).encode()
    assert all(isinstance(each, Made) for each in made(body, "files", NOW))
    read_page(body, "files")
    references(body)


def test_pages() -> None:
    entries = '[{"name": "files/a", "sizeBytes":"1"} ,{"name":"files/b"}]'
    page = read_page(f'{{"files": {entries},"nextPageToken":"t"}}'.encode(), "files")
    assert page and [name for name, _ in page.entries] == ["files/a", "files/b"] and page.next_token == "t"
    back = write_page(page.member, [raw for _, raw in page.entries[:1]], page.next_token)
    assert back == b'{"files":[{"name": "files/a", "sizeBytes":"1"}],"nextPageToken":"t"}'
    empty = read_page(b"{}", "files")
    assert empty and empty.entries == [] and write_page("files", [], "") == b"{}"
    operations = read_page(b'{"operations":[{"name":"batches/b"}]}', "batches")
    assert operations and operations.member == "operations"
    assert read_page(b'{"error":{}}', "files") == read_page(b"{}", "files")
    below = read_page(b'{"documents":[{"name":"fileSearchStores/x/documents/y"}]}', "fileSearchStores/x/documents")
    assert below and below.member == "documents" and below.entries[0][0] == "fileSearchStores/x/documents/y"
    of_model = read_page(b'{"operations":[{"id":"o"}]}', "models/m/operations")
    assert of_model and of_model.entries[0][0] == "models/m/operations/o"
    assert read_page(b"[]", "files") is None and read_page(b"<html>", "files") is None


@needs_recordings
def test_recorded_resources() -> None:
    for row in load_recordings("gemini"):
        if row.status == 200 and row.method == "POST" and row.method_name in ("cachedContents", "fileSearchStores"):
            name = json.loads(row.body())["name"]
            assert [each.name for each in made(row.body(), row.method_name, NOW)] == [owned_name(name)]
        if isinstance(row.request, dict) and str(row.request.get("cachedContent", "")).startswith("cachedContents/"):
            assert row.request["cachedContent"] in references(json.dumps(row.request).encode())
