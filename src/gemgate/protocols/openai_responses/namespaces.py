"""Names of functions that stand in a namespace."""


def flat(namespace: str | None, name: str) -> str:
    """Give the one name by which a function of a namespace is known to the model."""
    return f"{namespace}__{name}" if namespace else name
