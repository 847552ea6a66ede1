"""For whom something is kept."""

from gemgate.pipeline.exchange import Exchange


def caller_id(exchange: Exchange) -> str:
    """Give the id of who asks; empty where nobody is told apart."""
    return exchange.caller.id if exchange.caller is not None else ""
