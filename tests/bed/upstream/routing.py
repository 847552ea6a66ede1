"""Which default answer belongs to which request."""

import re
from typing import Any

from tests.bed.upstream import generate
from tests.bed.upstream.answers import Answer, error, json_array, json_reply, not_found_model, sse
from tests.bed.upstream.connection import Received
from tests.bed.upstream.resources import Resources, paginate

_MODEL_CALL = re.compile(r"/v1\w*/(?:models|tunedModels|dynamic)/([^/:]+):(\w+)")
_OPERATION = re.compile(r"/v1\w*/((?:models/[^/]+/operations|operations)/[^/:]+)")
_ITEM = re.compile(r"/v1\w*/((\w+)/[^/:]+)(?::(\w+)|/(\w+))?")
_LISTED = {"files": "files", "cachedContents": "cachedContents", "batches": "operations"}


class Routes:
    """The fake's table of paths."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.models: list[str] = list(generate.MODEL_NAMES)
        self.missing_models: set[str] = set()
        """Models that answer 404; all others work, listed or not."""

    def answer(self, request: Received, key: str) -> Answer:
        """Choose the answer."""
        path = request.path.removesuffix("/")
        if found := _MODEL_CALL.fullmatch(path):
            return self._model_call(request, key, found[1], found[2])
        if re.fullmatch(r"/v1\w*/models", path):
            return paginate(request, [generate.model_document(name) for name in self.models], "models")
        if found := re.fullmatch(r"/v1\w*/models/([^/:]+)", path):
            missing = found[1] in self.missing_models
            return not_found_model(found[1]) if missing else json_reply(generate.model_document(found[1]))
        if re.fullmatch(r"/upload/v1\w*/files", path):
            return self.resources.start_upload(request, key)
        if found := _OPERATION.fullmatch(path):
            return self.resources.get_operation(key, found[1])
        if found := re.fullmatch(r"/v1\w*/(\w+)", path):
            return self._collection(request, key, found[1])
        if found := _ITEM.fullmatch(path):
            return self._item(request, key, found[1], found[2], found[3] or found[4] or "")
        return error(404, "Requested entity was not found.")

    def _collection(self, request: Received, key: str, collection: str) -> Answer:
        if request.method == "GET" and collection in _LISTED:
            return self.resources.page(request, key, collection, _LISTED[collection])
        if request.method == "POST" and collection == "cachedContents":
            return self.resources.create_cache(key, request.json)
        if request.method == "POST" and collection == "interactions":
            return self.resources.create_interaction(key, request.json)
        if request.method == "POST" and collection == "auth_tokens":
            return json_reply({"name": self.resources.new_name("auth_tokens")})
        return error(404, "Requested entity was not found.")

    def _item(self, request: Received, key: str, name: str, collection: str, verb: str) -> Answer:
        resources = self.resources
        match request.method, collection, verb:
            case "GET", "files", "":
                return resources.get_file(key, name)
            case "GET", "files", "download":
                return resources.download(key, name)
            case "PATCH", "cachedContents", "":
                return resources.patch_cache(key, name, request.json)
            case "GET", "batches", "":
                return resources.get_operation(key, name)
            case "POST", "batches", "cancel":
                return resources.cancel_batch(key, name)
            case "POST", "interactions", "cancel":
                return resources.get(key, name)
            case "GET", ("cachedContents" | "interactions"), "":
                return resources.get(key, name)
            case "DELETE", ("files" | "cachedContents" | "batches" | "interactions"), "":
                return resources.delete(key, name)
            case _:
                return error(404, "Requested entity was not found.")

    def _model_call(self, request: Received, key: str, model: str, method: str) -> Answer:
        if request.method != "POST":
            return error(404, "Requested entity was not found.")
        if model in self.missing_models:
            return not_found_model(model, method)
        try:
            body: Any = request.json
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return error(400, "Invalid JSON payload received. Expected an object.")
        for name in self.resources.used_by(body):
            if refused := self.resources.refusal(key, name):
                return refused
        return self._method(request, key, model, method, body)

    def _method(self, request: Received, key: str, model: str, method: str, body: Any) -> Answer:
        match method:
            case "generateContent":
                return json_reply(generate.generate(body, model))
            case "streamGenerateContent" if request.query.get("alt") == "sse":
                return sse(generate.stream(body, model))
            case "streamGenerateContent":
                return json_array(generate.stream(body, model))
            case "countTokens":
                inner = generate.camelised(body)
                total = generate.count_tokens(inner.get("generateContentRequest") or inner)
                details = [{"modality": "TEXT", "tokenCount": total}]
                return json_reply({"totalTokens": total, "promptTokensDetails": details})
            case "embedContent":
                return json_reply({"embedding": generate.embed(body)})
            case "batchEmbedContents":
                return json_reply({"embeddings": [generate.embed(item) for item in body.get("requests") or []]})
            case "predict":
                return self.resources.predict(body)
            case "predictLongRunning":
                return self.resources.predict_long_running(key, model, body)
            case "batchGenerateContent":
                return self.resources.create_batch(key, model, body)
            case _:
                return not_found_model(model, method)
