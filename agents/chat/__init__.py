"""The agent `chat:MODEL@URL`: any model behind an OpenAI-compatible endpoint."""
