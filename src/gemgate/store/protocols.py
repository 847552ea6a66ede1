"""What the pipeline needs of a store, whatever database is behind it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct


class Owner(Struct, frozen=True, kw_only=True):
    """Whose a resource is.

    `resource` is its name upstream (`files/abc`) or `uploads/…` for an upload under way, whose next step goes to
    `location`; `key_id` is the upstream key that made it; `expires_at` in Unix seconds.
    """

    resource: str
    key_id: str
    caller_id: str
    location: str = ""
    expires_at: float


class OwnerStore(Protocol):
    """Rows of owners; those that have expired are as if they were not."""

    async def get(self, resource: str) -> Owner | None:
        """Find the owner of a resource whose name is its own."""
        ...

    async def find(self, resources: list[str]) -> list[Owner]:
        """Find the owners of several resources at once; a name may have one under each key."""
        ...

    async def of_caller(self, caller_id: str, prefix: str) -> list[Owner]:
        """List what a caller owns among the resources whose names begin so, by name."""
        ...

    async def put(self, owners: list[Owner]) -> None:
        """Remember owners; under one key a resource's first owner stays."""
        ...

    async def delete(self, owner: Owner) -> None:
        """Forget a resource."""
        ...


class SignatureStore(Protocol):
    """What was signed, by key, for a while; what has expired is as if it were not."""

    async def recall(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Find remembered values by key, all in one read; may raise whatever the database does."""
        ...

    def remember(self, rows: Mapping[bytes, bytes], expires_at: float) -> None:
        """Keep values by key until `expires_at` in Unix seconds, newer ones in the place of older ones.

        Returns at once and never fails; what was remembered can be recalled at once in the same process.
        """
        ...
