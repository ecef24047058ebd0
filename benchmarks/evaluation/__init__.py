"""Which episodes are played, which of them compare, and what their numbers are."""
