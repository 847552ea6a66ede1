"""OpenAI Chat Completions, as a surface."""
