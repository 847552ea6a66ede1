"""Adding up what several replies have cost."""

from gemgate.hub.events import Usage
from gemgate.hub.parts import Vendor
from gemgate.hub.usage import total

ONE = Usage(
    input_tokens=1,
    cached_tokens=2,
    tool_tokens=3,
    output_tokens=4,
    thought_tokens=5,
    total_tokens=6,
    input_by_modality={"text": 7, "image": 8},
    cached_by_modality={"text": 9},
    output_by_modality={"audio": 10},
    service_tier="flex",
    vendor=Vendor("gemini", "{}"),
)


def test_nothing_is_nothing() -> None:
    assert total([]) == Usage()


def test_one_stays_as_it_is() -> None:
    assert total(iter([ONE])) is ONE


def test_every_number_is_added() -> None:
    other = Usage(
        input_tokens=100,
        cached_tokens=100,
        tool_tokens=100,
        output_tokens=100,
        thought_tokens=100,
        total_tokens=100,
        input_by_modality={"text": 100, "video": 1},
        output_by_modality={"audio": 100},
        service_tier="priority",
    )
    assert total([ONE, other]) == Usage(
        input_tokens=101,
        cached_tokens=102,
        tool_tokens=103,
        output_tokens=104,
        thought_tokens=105,
        total_tokens=106,
        input_by_modality={"text": 107, "image": 8, "video": 1},
        cached_by_modality={"text": 9},
        output_by_modality={"audio": 110},
        service_tier="priority",
    )
    assert ONE.input_by_modality == {"text": 7, "image": 8}, "the summands stay as they are"


def test_no_field_is_forgotten() -> None:
    """A number added to `Usage` must be added up here too."""
    twice = total([ONE, ONE])
    for name in Usage.__struct_fields__:
        value = getattr(ONE, name)
        if isinstance(value, int):
            assert getattr(twice, name) == 2 * value, name
        elif isinstance(value, dict):
            assert getattr(twice, name) == {key: 2 * count for key, count in value.items()}, name
