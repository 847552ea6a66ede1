"""What clients call a JSON Schema → what Gemini takes, in either of its dialects (notes §7.2)."""
