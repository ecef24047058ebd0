"""Serves zoomgym as an OpenEnv environment: `python -m server.app` in the folder above."""

import uvicorn

from zoomgym.integrations.openenv import make_app

app = make_app({"tasks": "synthetic", "source": "scene"})


def main() -> None:
    """Serves on port 8000."""
    uvicorn.run(app, host="127.0.0.1", port=8000)


if __name__ == "__main__":
    main()
