"""What belongs to a key's project: files, caches, batches, operations, interactions. No other key may see it."""

import base64
import hashlib
import itertools
from collections.abc import Callable
from typing import Any

from tests.bed.upstream.answers import Answer, compact, error, json_reply, raw_stream, reply
from tests.bed.upstream.connection import Received
from tests.bed.upstream.generate import PIXEL, camelised, count_tokens, generate

Json = dict[str, Any]
TIME = "2026-11-21T12:00:00.000000Z"
LATER = "2026-11-23T12:00:00.000000Z"


class Upload:
    """A resumable upload under way."""

    def __init__(self, key: str, file: Json, mime_type: str) -> None:
        self.key = key
        self.file = file
        self.mime_type = mime_type
        self.data = bytearray()


class Resources:
    """All resources of all keys; each belongs to the key that made it."""

    def __init__(self, base_url: Callable[[], str]) -> None:
        self._base_url = base_url
        self._numbers = itertools.count(1)
        self.documents: dict[str, Json] = {}
        """Name (`files/abc`, `cachedContents/x`, …) → document."""
        self.owners: dict[str, str] = {}
        self.contents: dict[str, bytes] = {}
        self.uploads: dict[str, Upload] = {}
        self.processing_polls = 0
        """How often a new file says PROCESSING before it is ACTIVE."""
        self.operation_polls = 1
        """How often an operation says that it is not done."""
        self._polls: dict[str, int] = {}

    def new_name(self, collection: str) -> str:
        """Mint a name."""
        return f"{collection}/fake{next(self._numbers):06d}"

    def keep(self, key: str, name: str, document: Json) -> Json:
        """Store a document for a key."""
        self.documents[name] = document
        self.owners[name] = key
        return document

    def refusal(self, key: str, name: str) -> Answer | None:
        """Return the error that a key gets for a resource that is another's or none, None if it may use it."""
        if self.owners.get(name) == key:
            return None
        kind, _, short = name.rpartition("/")
        if kind == "cachedContents":
            return error(403, "CachedContent not found (or permission denied)")
        if kind == "files":
            return error(403, f"You do not have permission to access the File {short} or it may not exist.")
        if kind == "interactions":
            return error_interaction("not_found", "Interaction not found.", 404)
        return error(404, "Requested entity was not found.")

    def used_by(self, body: Any) -> list[str]:
        """Return the names of files and caches that a request refers to."""
        found: list[str] = []
        if isinstance(body, list):
            for item in body:
                found += self.used_by(item)
        elif isinstance(body, dict):
            for key, value in body.items():
                if key in ("cachedContent", "cached_content") and isinstance(value, str):
                    found.append(value)
                elif key in ("fileUri", "file_uri") and isinstance(value, str) and "/files/" in value:
                    found.append("files/" + value.rpartition("/files/")[2])
                else:
                    found += self.used_by(value)
        return found

    # ── all collections ──

    def page(self, request: Received, key: str, collection: str, field: str) -> Answer:
        """Answer a list: the key's own, in pages."""
        names = [name for name in self.documents if name.startswith(collection + "/") and self.owners[name] == key]
        return paginate(request, [self.documents[name] for name in names], field)

    def get(self, key: str, name: str) -> Answer:
        """Answer one resource."""
        return self.refusal(key, name) or json_reply(self.documents[name])

    def delete(self, key: str, name: str) -> Answer:
        """Forget one resource."""
        if refused := self.refusal(key, name):
            return refused
        del self.documents[name], self.owners[name]
        self.contents.pop(name, None)
        return json_reply({})

    # ── files ──

    def start_upload(self, request: Received, key: str) -> Answer:
        """Answer the first request of an upload."""
        if request.header("x-goog-upload-protocol") != "resumable":
            return error(400, "The fake knows resumable uploads only.")
        size = request.header("x-goog-upload-header-content-length")
        if request.header("x-goog-upload-command") != "start" or (size is not None and not size.isdigit()):
            return error(400, "Upload must begin with the command 'start'.")
        file = camelised((request.json or {}).get("file") or {})
        mime = request.header("x-goog-upload-header-content-type") or file.get("mimeType") or "application/octet-stream"
        upload_id = f"upload-{next(self._numbers)}"
        self.uploads[upload_id] = Upload(key, file, mime)
        url = f"{self._base_url()}{request.path}?upload_id={upload_id}&upload_protocol=resumable"
        headers = {
            "X-Goog-Upload-URL": url,
            "X-Goog-Upload-Control-URL": url,
            "X-Goog-Upload-Status": "active",
            "X-Goog-Upload-Chunk-Granularity": "8388608",
        }
        return reply(b"", 200, "text/plain; charset=utf-8", headers)

    def go_on_uploading(self, request: Received) -> Answer:
        """Answer a later request of an upload; its id is the credential."""
        upload = self.uploads.get(request.query.get("upload_id", ""))
        if upload is None:
            return error(404, "Upload not found.")
        commands = {word.strip() for word in (request.header("x-goog-upload-command") or "").split(",")}
        active = {"X-Goog-Upload-Status": "active", "X-Goog-Upload-Size-Received": str(len(upload.data))}
        if "query" in commands:
            return reply(b"", 200, "text/plain", active)
        if "cancel" in commands:
            del self.uploads[request.query["upload_id"]]
            return reply(b"", 200, "text/plain", {"X-Goog-Upload-Status": "cancelled"})
        if "upload" in commands:
            if request.header("x-goog-upload-offset") != str(len(upload.data)):
                return error(400, f"The offset must be {len(upload.data)}.")
            upload.data += request.body
            active["X-Goog-Upload-Size-Received"] = str(len(upload.data))
        if "finalize" not in commands:
            return reply(b"", 200, "text/plain", active)
        del self.uploads[request.query["upload_id"]]
        document = self.add_file(upload.key, bytes(upload.data), upload.mime_type, upload.file)
        return json_reply({"file": document}, headers={"X-Goog-Upload-Status": "final"})

    def add_file(self, key: str, data: bytes, mime_type: str, wish: Json | None = None, source: str = "") -> Json:
        """Store a file; `source="GENERATED"` makes one that can be downloaded."""
        wish = wish or {}
        name = wish.get("name") or self.new_name("files")
        name = name if name.startswith("files/") else f"files/{name}"
        digest = hashlib.sha256(data).hexdigest().encode()
        document = {
            "name": name,
            "mimeType": mime_type,
            "sizeBytes": str(len(data)),
            "createTime": TIME,
            "updateTime": TIME,
            "expirationTime": LATER,
            "sha256Hash": base64.b64encode(digest).decode(),
            "uri": f"{self._base_url()}/v1beta/{name}",
            "state": "PROCESSING" if self.processing_polls else "ACTIVE",
            "source": source or "UPLOADED",
        }
        if wish.get("displayName"):
            document["displayName"] = wish["displayName"]
        if source == "GENERATED":
            document["downloadUri"] = f"{self._base_url()}/v1beta/{name}:download?alt=media"
        self.contents[name] = data
        return self.keep(key, name, document)

    def get_file(self, key: str, name: str) -> Answer:
        """Answer a file; it becomes active after some polls."""
        if refused := self.refusal(key, name):
            return refused
        self._polls[name] = self._polls.get(name, 0) + 1
        if self._polls[name] > self.processing_polls:
            self.documents[name]["state"] = "ACTIVE"
        return json_reply(self.documents[name])

    def download(self, key: str, name: str) -> Answer:
        """Answer the bytes of a generated file."""
        if refused := self.refusal(key, name):
            return refused
        if self.documents[name]["source"] != "GENERATED":
            return error(400, "Only generated files can be downloaded.", status="FAILED_PRECONDITION")
        return reply(self.contents[name], 200, self.documents[name]["mimeType"])

    # ── caches ──

    def create_cache(self, key: str, body: Json) -> Answer:
        """Store a cached content."""
        known = camelised(body)
        if not str(known.get("model") or "").startswith("models/"):
            return error(400, "* CreateCachedContentRequest.cached_content.model: model is required")
        document = {
            "name": self.new_name("cachedContents"),
            "model": known["model"],
            "createTime": TIME,
            "updateTime": TIME,
            "expireTime": known.get("expireTime") or LATER,
            "displayName": known.get("displayName") or "",
            "usageMetadata": {"totalTokenCount": count_tokens(known)},
        }
        return json_reply(self.keep(key, document["name"], document))

    def patch_cache(self, key: str, name: str, body: Json) -> Answer:
        """Change how long a cached content lives."""
        if refused := self.refusal(key, name):
            return refused
        self.documents[name]["updateTime"] = LATER
        self.documents[name]["expireTime"] = camelised(body).get("expireTime") or LATER
        return json_reply(self.documents[name])

    # ── batches and operations ──

    def create_batch(self, key: str, model: str, body: Json) -> Answer:
        """Store a batch and answer its operation; inline requests are done after some polls."""
        batch = camelised(body).get("batch") or {}
        name = self.new_name("batches")
        inline = ((batch.get("inputConfig") or {}).get("requests") or {}).get("requests") or []
        done = [{"response": generate(item.get("request") or {}, model)} for item in inline]
        metadata = {
            "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
            "model": f"models/{model}",
            "displayName": batch.get("displayName", ""),
            "name": name,
            "createTime": TIME,
            "batchStats": {"requestCount": str(len(inline))},
            "state": "BATCH_STATE_PENDING",
        }
        document = {"name": name, "metadata": metadata, "$response": {"inlinedResponses": {"inlinedResponses": done}}}
        self.keep(key, name, document)
        return json_reply(_public(document))

    def get_operation(self, key: str, name: str) -> Answer:
        """Answer an operation or a batch."""
        if refused := self.refusal(key, name):
            return refused
        document = self.documents[name]
        self._polls[name] = self._polls.get(name, 0) + 1
        if self._polls[name] > self.operation_polls and not document.get("done"):
            document["done"] = True
            document["response"] = document.pop("$response")
            if name.startswith("batches/"):
                document["metadata"] |= {
                    "state": "BATCH_STATE_SUCCEEDED",
                    "output": document["response"],
                    "endTime": LATER,
                }
        return json_reply(_public(document))

    def cancel_batch(self, key: str, name: str) -> Answer:
        """Cancel a batch."""
        if refused := self.refusal(key, name):
            return refused
        self.documents[name]["metadata"]["state"] = "BATCH_STATE_CANCELLED"
        return json_reply({})

    def predict_long_running(self, key: str, model: str, body: Json) -> Answer:
        """Start making a video."""
        if not body.get("instances"):
            return error(400, "instances is required")
        name = self.new_name(f"models/{model}/operations")
        video = self.add_file(key, b"\x00\x00\x00\x18ftypmp42fake-video", "video/mp4", source="GENERATED")
        sample = {"video": {"uri": video["downloadUri"]}}
        kind = "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse"
        document = {"name": name, "$response": {"@type": kind, "generateVideoResponse": {"generatedSamples": [sample]}}}
        self.keep(key, name, document)
        return json_reply({"name": name})

    def predict(self, body: Json) -> Answer:
        """Make pictures the old way."""
        count = int((body.get("parameters") or {}).get("sampleCount") or 1)
        return json_reply({"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": PIXEL}] * count})

    # ── interactions ──

    def create_interaction(self, key: str, body: Json) -> Answer:
        """Answer an interaction, as JSON or as a stream of named events."""
        previous = body.get("previous_interaction_id")
        if previous and (refused := self.refusal(key, f"interactions/{previous}")):
            return refused
        if not body.get("model") and not body.get("agent"):
            return error_interaction("invalid_request", "Either 'model' or 'agent' must be given.", 400)
        number = self.new_name("interactions").rpartition("/")[2]
        text = f"echo: {_interaction_input(body.get('input'))}"
        document = {
            "id": number,
            "object": "interaction",
            "model": body.get("model"),
            "status": "completed",
            "created": TIME,
            "updated": TIME,
            "steps": [{"type": "model_output", "content": [{"type": "text", "text": text}]}],
            "usage": {"total_input_tokens": 5, "total_output_tokens": 3, "total_tokens": 8},
        }
        if body.get("store", True):
            self.keep(key, f"interactions/{number}", document)
        if not body.get("stream"):
            return json_reply(document)
        begun = {"id": number, "object": "interaction", "model": body.get("model"), "status": "in_progress"}
        events = [
            {"event_type": "interaction.created", "interaction": begun},
            {"event_type": "interaction.status_update", "interaction_id": number, "status": "in_progress"},
            {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}},
            {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": text}},
            {"event_type": "step.stop", "index": 0},
            {"event_type": "interaction.completed", "interaction": {**begun, **document, "steps": None}},
        ]
        frames = [f"event: {event['event_type']}\ndata: ".encode() + compact(event) + b"\n\n" for event in events]
        return raw_stream([*frames, b"event: done\ndata: [DONE]\n\n"])


def error_interaction(code: str, message: str, status: int) -> Answer:
    """Answer an error of the Interactions API, whose code is a string."""
    return json_reply({"error": {"code": code, "message": message}}, status)


def _interaction_input(given: Any) -> str:
    if isinstance(given, str):
        return given
    said: list[str] = []
    for item in given or []:
        if isinstance(item, str):
            said.append(item)
        elif item.get("type") == "text":
            said.append(item.get("text", ""))
        else:
            said.append(_interaction_input(item.get("content")))
    return " ".join(said)


def _public(document: Json) -> Json:
    return {key: value for key, value in document.items() if not key.startswith("$")}


def paginate(request: Received, documents: list[Json], field: str) -> Answer:
    """Answer a list in pages of `pageSize`."""
    size = int(request.query.get("pageSize") or request.query.get("page_size") or 50)
    token = request.query.get("pageToken") or request.query.get("page_token") or ""
    try:
        start = int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError:
        return error(400, "Invalid page token.")
    page: Json = {field: [_public(item) for item in documents[start : start + size]]} if documents else {}
    if start + size < len(documents):
        page["nextPageToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return json_reply(page)
