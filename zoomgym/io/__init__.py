"""Numbers, text, files and requests: what comes from outside is bounded and checked here."""
