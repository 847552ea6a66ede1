"""Secrets out of whatever is about to be written."""

import re

SECRETS = re.compile(
    r"AIza[0-9A-Za-z_-]{30,}|AQ\.[0-9A-Za-z_-]{16,}|\b(?:gg|sk)-[0-9A-Za-z_-]{8,}|(?i:bearer)\s+[^\s\"',]{8,}"
    r"|(?<=[?&]key=)[^&\s\"']+|(?<=access_token=)[^&\s\"']+|(?<=upload_id=)[^&\s\"']+"
)


def redacted(text: str) -> str:
    """Replace everything that looks like a credential."""
    return SECRETS.sub("[redacted]", text)
