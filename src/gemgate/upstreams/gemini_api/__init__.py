"""The Gemini API of AI Studio keys."""
