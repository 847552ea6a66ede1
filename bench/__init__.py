"""What gemgate costs: CPU, latency, memory and start time, beside nginx in the same run (see README.md)."""


class BenchError(Exception):
    """The bench cannot give honest numbers; the message says why."""
