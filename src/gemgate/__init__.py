"""gemgate: one server that speaks every client's language and answers from Google Gemini."""

__version__ = "0.1.0"
