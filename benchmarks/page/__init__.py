"""The page about a run: one HTML file with everything in it."""
