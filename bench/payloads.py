"""The bytes of the bench: what clients ask, what the fake upstream answers, both shaped like Gemini's own.

The pace of a streamed reply is asked for by a mark in the user's text, which every translation carries through.
"""

import json

MODEL = "gemini-2.5-flash"
CLIENT_KEY = "sk-bench-client-key"
UPSTREAM_KEY = "bench-upstream-key"
EVENTS = 100
PACES = {"[paced]": 0.002, "[slow]": 1.0}
"""mark → seconds between two events; without a mark all come in one burst"""

SYSTEM = (
    "You are the travel desk of a small company. Answer in plain sentences, name prices in euros, "
    "say when you are unsure, and never invent a train number or a time of departure."
)
TURNS = [
    ("user", "I have to be in Vienna on Tuesday by ten in the morning. What would you take from Munich?"),
    (
        "assistant",
        "There are direct trains through the night and early in the morning; both arrive in time. The early one leaves "
        "shortly before six and takes about four hours. The night train is slower, but you arrive rested. "
        "Do you prefer to travel early, or to sleep on the way?",
    ),
    ("user", "Early is fine. What does it cost, do I need a seat reservation, and what if the train is late?"),
]
SENTENCE = (
    "The early train costs about sixty euros when you book a week ahead and close to one hundred on the day itself. "
    "A reservation is not required, yet on a Tuesday morning I would pay the few euros for a seat."
)
WORDS = SENTENCE.split() * EVENTS
TEXT = " ".join(WORDS[:EVENTS])
"""what the model says, in JSON and in streams"""


# -- what clients send ---------------------------------------------------------------------------------------------


def chat_request(*, stream: bool, mark: str = "") -> bytes:
    """A Chat Completions request, as an OpenAI client sends it."""
    messages = [{"role": "system", "content": SYSTEM}]
    messages += [{"role": role, "content": text} for role, text in _turns(mark)]
    body: dict[str, object] = {"model": MODEL, "messages": messages, "temperature": 0.7, "max_tokens": 800}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return _post("/v1/chat/completions", f"Authorization: Bearer {CLIENT_KEY}", body)


def messages_request(*, stream: bool, mark: str = "") -> bytes:
    """The same conversation, as an Anthropic client sends it."""
    messages = [{"role": role, "content": text} for role, text in _turns(mark)]
    body = {"model": MODEL, "system": SYSTEM, "messages": messages, "temperature": 0.7, "max_tokens": 800}
    credentials = f"anthropic-version: 2023-06-01\r\nx-api-key: {CLIENT_KEY}"
    return _post("/v1/messages", credentials, body | ({"stream": True} if stream else {}))


def responses_request(*, stream: bool, mark: str = "", store: bool = False) -> bytes:
    """The same conversation, as a client of Responses sends it; `store` is what OpenAI does where it is not said."""
    messages = [{"role": role, "content": text} for role, text in _turns(mark)]
    body: dict[str, object] = {"model": MODEL, "instructions": SYSTEM, "input": messages}
    body |= {"temperature": 0.7, "max_output_tokens": 800}
    body |= ({} if store else {"store": False}) | ({"stream": True} if stream else {})
    return _post("/v1/responses", f"Authorization: Bearer {CLIENT_KEY}", body)


def native_request(*, stream: bool, mark: str = "") -> bytes:
    """The same conversation, as a Gemini client sends it."""
    roles = {"user": "user", "assistant": "model"}
    body = {
        "systemInstruction": {"parts": [{"text": SYSTEM}]},
        "contents": [{"role": roles[role], "parts": [{"text": text}]} for role, text in _turns(mark)],
        "generationConfig": {"temperature": 0.7, "maxOutputTokens": 800},
    }
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return _post(f"/v1beta/models/{MODEL}:{method}", f"x-goog-api-key: {CLIENT_KEY}", body)


def _turns(mark: str) -> list[tuple[str, str]]:
    *earlier, (role, text) = TURNS
    return [*earlier, (role, f"{text} {mark}".strip())]


def _post(path: str, credential: str, body: object) -> bytes:
    content = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nUser-Agent: gemgate-bench\r\n{credential}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


# -- what the upstream answers -------------------------------------------------------------------------------------


def _reply(text: str, tokens: int, *, last: bool) -> dict[str, object]:
    candidate: dict[str, object] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    usage = {
        "promptTokenCount": 187,
        "candidatesTokenCount": tokens,
        "totalTokenCount": 187 + tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 187}],
    }
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": "XgCzaazDItHRz7IP"}


def _events() -> list[bytes]:
    pieces = [word if i == 0 else f" {word}" for i, word in enumerate(TEXT.split(" "))]
    replies = [_reply(piece, i + 1, last=i + 1 == EVENTS) for i, piece in enumerate(pieces)]
    return [b"data: " + json.dumps(reply, separators=(",", ": ")).encode() + b"\r\n\r\n" for reply in replies]


NATIVE_EVENTS = _events()
NATIVE_STREAM = b"".join(NATIVE_EVENTS)
NATIVE_JSON = json.dumps(_reply(TEXT, EVENTS, last=True), indent=2, separators=(",", ": ")).encode() + b"\n"
MODELS_JSON = json.dumps(
    {
        "models": [
            {
                "name": f"models/{MODEL}",
                "version": "001",
                "displayName": "Gemini 2.5 Flash",
                "inputTokenLimit": 1048576,
                "outputTokenLimit": 65536,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            }
        ]
    }
).encode()
