"""OpenAI Responses: answers, those that are kept, conversations, work in the background, and the WebSocket."""
