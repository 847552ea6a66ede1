"""The output of a response: its items in order, one open at a time, and the parts that each was made of."""

from msgspec import Struct, json

from gemgate.hub.parts import Part
from gemgate.protocols.openai_responses.kept import KeptItem
from gemgate.protocols.openai_responses.steps import Steps

Item = dict[str, object]

encode = json.Encoder().encode


class _Record(Struct):
    parts: list[Part]
    json: bytes = b""


class Output:
    """Tells where items begin and end, and gathers them; with `keeps_parts` also what they were made of."""

    __slots__ = ("_early", "_records", "keeps_parts", "steps")

    def __init__(self, steps: Steps, *, keeps_parts: bool) -> None:
        self.steps = steps
        self.keeps_parts = keeps_parts
        self._records: list[_Record] = []
        self._early: list[Part] = []
        """Parts that came before any item; they go with the first."""

    def begin(self, item: Item) -> int:
        """Open an item with what is known of it, and give its place."""
        index = len(self._records)
        self._records.append(_Record(self._early))
        self._early = []
        if self.steps.told:
            self.steps.tell(b"response.output_item.added", b'"output_index":%d,"item":%b' % (index, encode(item)))
        return index

    def end(self, item: Item) -> None:
        """Close the open item; this is what it has become."""
        record = self._records[-1]
        record.json = encode(item)
        if self.steps.told:
            index = len(self._records) - 1
            self.steps.tell(b"response.output_item.done", b'"output_index":%d,"item":%b' % (index, record.json))

    def amend(self, index: int, item: Item) -> None:
        """Put something else in the place of an item that is closed: of what is told, only the end will show it."""
        self._records[index].json = encode(item)

    def keep(self, part: Part) -> None:
        """Put a part to the item that is open or was last: to its own, if it has one."""
        (self._records[-1].parts if self._records else self._early).append(part)

    def documents(self) -> list[bytes]:
        """Give the items that are closed."""
        return [record.json for record in self._records if record.json]

    def kept(self) -> list[KeptItem]:
        """Give the items that are closed, with their parts if those were kept."""
        return [
            KeptItem(record.json, tuple(record.parts) if self.keeps_parts else None)
            for record in self._records
            if record.json
        ]


class OpenItem:
    """An item that is being written."""

    __slots__ = ("_index", "_known", "_members", "_output")

    def __init__(self, output: Output, known: Item, begun: Item) -> None:
        """`known` is what it has from beginning to end (its `id` among it), `begun` what is still to change."""
        self._output = output
        self._known = known
        self._index = output.begin(known | begun)
        self._members = b'"item_id":%b,"output_index":%d' % (encode(known["id"]), self._index)

    def tell(self, name: bytes, more: bytes = b"") -> None:
        """Tell an event of this item."""
        self._output.steps.tell(name, self._members + more)

    def deltas(self, name: bytes, more: bytes = b"") -> None:
        """Say which deltas of this item are to follow."""
        self._output.steps.begin(name, self._members + more)

    def close(self, become: Item) -> None:
        """End it."""
        self._output.end(self._known | become)

    def amend(self, become: Item) -> None:
        """Say what it has become after all, when it is closed."""
        self._output.amend(self._index, self._known | become)
