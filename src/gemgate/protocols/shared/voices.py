"""Voices by the names of OpenAI → those of Gemini (notes §9.2); any other name is Gemini's own."""

VOICES = {
    "alloy": "Kore",
    "ash": "Iapetus",
    "ballad": "Algieba",
    "cedar": "Achird",
    "coral": "Sulafat",
    "echo": "Charon",
    "fable": "Umbriel",
    "marin": "Despina",
    "nova": "Leda",
    "onyx": "Orus",
    "sage": "Vindemiatrix",
    "shimmer": "Achernar",
    "verse": "Puck",
}


def voice(name: str) -> str:
    """Give Gemini's name of a voice."""
    return VOICES.get(name.lower(), name)
