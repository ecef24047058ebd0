"""Programs to start from."""

import agents  # noqa: F401 - explains what is missing before anything else is imported
