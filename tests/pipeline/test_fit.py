"""What a model's name asks for, and fields in the client's words."""

import pytest

from gemgate.catalog.catalog import Target
from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, Function, Generate, Reasoning, Sampling
from gemgate.hub.codec import Dropped
from gemgate.pipeline.fit import client_path, fitted, in_client_words, refuse_drops

SUFFIX = Reasoning(effort="high", include_thoughts=True)


def call(**how: object) -> Generate:
    return Generate(model="m", messages=(), **how)  # pyright: ignore[reportArgumentType]


def target(reasoning: Reasoning | None = None, *, web_search: bool = False) -> Target:
    return Target(asked="m", model="m", reasoning=reasoning, web_search=web_search)


def test_without_suffixes_nothing_changes() -> None:
    asked = call(reasoning=Reasoning(effort="low"))
    assert fitted(asked, target()) is asked


@pytest.mark.parametrize(
    ("asked", "fit"),
    [
        (Reasoning(), SUFFIX),
        (Reasoning(effort="low"), Reasoning(effort="low", include_thoughts=True)),
        (Reasoning(budget_tokens=0), Reasoning(budget_tokens=0, include_thoughts=True)),
        (Reasoning(include_thoughts=False), Reasoning(effort="high", include_thoughts=False)),
        (Reasoning(effort="none", include_thoughts=False), Reasoning(effort="none", include_thoughts=False)),
    ],
)
def test_the_request_itself_comes_first(asked: Reasoning, fit: Reasoning) -> None:
    assert fitted(call(reasoning=asked), target(SUFFIX)).reasoning == fit


def test_search_is_added_once() -> None:
    tool, search = Function(name="f"), BuiltIn("web_search")
    assert fitted(call(tools=(tool,)), target(web_search=True)).tools == (tool, search)
    asked = call(tools=(search, tool))
    assert fitted(asked, target(web_search=True)) is asked


@pytest.mark.parametrize(
    ("most", "asked", "sent"),
    [(100, 101, 100), (100, 100, 100), (100, 5, 5), (100, None, None), (None, 10**9, 10**9)],
)
def test_an_answer_is_never_asked_to_be_longer_than_it_can(
    most: int | None, asked: int | None, sent: int | None
) -> None:
    sampling = Sampling(max_output_tokens=asked, seed=5)
    bounded = Target(asked="m", model="m", max_output_tokens=most)
    made = call(sampling=sampling)
    assert fitted(made, bounded).sampling == Sampling(max_output_tokens=sent, seed=5)
    assert (fitted(made, bounded) is made) is (asked == sent)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("sampling.seed", "seed"),
        ("tools", "functions"),
        ("tools.0", "functions.0"),
        ("tools.1", "extra"),
        ("tools.1.x.y", "extra.x.y"),
        ("toolset.0", "toolset.0"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_paths_in_the_clients_words(path: str, said: str) -> None:
    paths = {"sampling.seed": "seed", "tools": "functions", "tools.1": "extra"}
    assert client_path(path, paths) == said
    assert in_client_words([Dropped(path, "why")], paths) == [Dropped(said, "why")]


def test_strict_mode() -> None:
    refuse_drops([])
    with pytest.raises(InvalidRequest, match=r"seed, n \(no seed here\)") as caught:
        refuse_drops([Dropped("seed", "no seed here"), Dropped("n", "x"), Dropped("seed", "y")])
    assert (caught.value.param, caught.value.code) == ("seed", "would_be_dropped")
