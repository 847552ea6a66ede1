"""Finding a client's key, and telling whose it is."""

import hmac

import pytest

from gemgate.callers import auth
from gemgate.callers.auth import HEADERS, ClientKeys, credentials

KEYS = ("gg-first-key", "gg-second-key")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"authorization", b"Bearer gg-key"),
        (b"authorization", b"bearer gg-key"),
        (b"authorization", b"BEARER   gg-key  "),
        (b"authorization", b"gg-key"),
        (b"authorization", b"  gg-key "),
        (b"x-goog-api-key", b"gg-key"),
        (b"x-api-key", b" gg-key"),
        (b"api-key", b"gg-key\t"),
    ],
)
def test_every_form(header: bytes, value: bytes) -> None:
    assert credentials([(b"accept", b"x"), (header, value)], []) == [b"gg-key"]
    assert header in HEADERS


def test_several_at_once_are_all_looked_at() -> None:
    headers = [(b"authorization", b"Bearer a"), (b"x-api-key", b"b"), (b"x-api-key", b"c"), (b"cookie", b"d")]
    assert credentials(headers, [b"e", b"", b"f"]) == [b"a", b"b", b"c", b"e", b"f"]


@pytest.mark.parametrize(
    "headers",
    [[], [(b"authorization", b"")], [(b"x-api-key", b"   ")], [(b"x-other", b"gg-key")]],
)
def test_nothing_offered(headers: list[tuple[bytes, bytes]]) -> None:
    assert credentials(headers, []) == []
    assert ClientKeys(["gg-key"]).caller(credentials(headers, [])) is None


@pytest.mark.parametrize("value", [b"Bearer", b"Bearer ", b"bearer \t "])
def test_a_scheme_without_a_key_lets_nobody_in(value: bytes) -> None:
    keys = ClientKeys(["gg-key", ""])
    assert keys.caller(credentials([(b"authorization", value)], [])) is None


def test_who_it_is() -> None:
    keys = ClientKeys(KEYS)
    first, second = keys.caller([b"gg-first-key"]), keys.caller([b"gg-second-key"])
    assert first is not None and second is not None and first != second
    assert len(first.id) == 16 and "first" not in first.id
    assert keys.caller([b"wrong", b"gg-second-key", b"also wrong"]) == second
    assert ClientKeys(reversed(KEYS)).caller([b"gg-first-key"]) == first  # the same after a restart


@pytest.mark.parametrize(
    "candidate",
    [b"", b"gg-first", b"gg-first-key ", b"GG-FIRST-KEY", b"gg-first-keyx", b"\xff\xfe", b"Bearer gg-first-key"],
)
def test_who_it_is_not(candidate: bytes) -> None:
    assert ClientKeys(KEYS).caller([candidate]) is None


def test_no_keys_let_nobody_in() -> None:
    assert ClientKeys([]).caller([b"", b"anything"]) is None


def test_keys_beyond_ascii() -> None:
    assert ClientKeys(["schlüssel"]).caller(["schlüssel".encode()]) is not None


def test_every_key_is_compared_whatever_matched_before(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(auth.hmac, "compare_digest", compare)
    keys = ClientKeys((*KEYS, "gg-third", KEYS[0]))
    for candidate in (b"gg-first-key", b"none"):
        compared.clear()
        keys.caller([candidate])
        assert compared == [(candidate, key) for key in (b"gg-first-key", b"gg-second-key", b"gg-third")]
    compared.clear()
    keys.caller([b"gg-first-key", b"x"])
    assert len(compared) == 6
