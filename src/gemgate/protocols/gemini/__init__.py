"""Gemini's own API: generateContent and its relatives."""
