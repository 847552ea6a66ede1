"""One look at everything that was sent to a fake Google: is it what Google takes?"""

import re
from collections.abc import Iterable

from tests.bed.contract import check_request
from tests.bed.turns import check_turns
from tests.bed.upstream import Received


def check_sent(requests: Iterable[Received], *, canonical: bool = False) -> int:
    """Check each request against contract and turn rules; return how many were covered.

    Raises `ContractError` or `TurnError`. `canonical` is for requests that the gateway wrote itself.
    """
    covered = 0
    for request in requests:
        if request.query.get("upload_id"):
            continue
        if not check_request(request.method, request.path, request.body, canonical=canonical):
            continue
        covered += 1
        if found := re.search(r"/models/([^:]+):(?:streamG|g)enerateContent$", request.path):
            check_turns(request.body, found[1])
    return covered
