"""The upstream's own tools, by the names that clients give them."""

from gemgate.hub.call import BuiltInKind

BUILT_INS: dict[str, BuiltInKind] = {
    "codeexecution": "code_execution",
    "codeinterpreter": "code_execution",
    "googlesearch": "web_search",
    "websearch": "web_search",
    "urlcontext": "url_context",
    "webfetch": "url_context",
    "googlemaps": "maps",
    "imagegeneration": "image_generation",
}
"""The upstream's own tools, by every name that clients give them; case, dashes, underscores and dates do not count."""

NAMED_LIKE_FUNCTIONS: dict[str, BuiltInKind] = {
    "codeExecution": "code_execution",
    "code_execution": "code_execution",
    "googleSearch": "web_search",
    "google_search": "web_search",
    "urlContext": "url_context",
    "url_context": "url_context",
    "googleMaps": "maps",
    "google_maps": "maps",
}
"""Those that are meant by a function of that name without description and parameters (notes §6.1)."""


def kind_of(name: str) -> BuiltInKind | None:
    """Find a tool of the upstream's own: `web_search_preview_2025_03_11` is `websearch`."""
    plain = name.lower().replace("-", "").replace("_", "").rstrip("0123456789")
    return BUILT_INS.get(plain.removesuffix("preview"))
