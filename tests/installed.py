"""Checks zoomgym as it is installed: run it outside a checkout, in an environment of its own."""

import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import zoomgym


def main() -> None:
    """Plays an episode, and starts the command."""
    place = Path(zoomgym.__file__).parent
    assert place.is_relative_to(sys.prefix), f"needed the installed zoomgym, got {place}"
    assert (place / "py.typed").is_file()
    env = zoomgym.ZoomEnv("synthetic:flash")
    observation, _ = env.reset(seed=7)
    assert observation["overview"].shape == (64, 112, 112, 3)
    env.step('{"segment": [10, 14], "fps": 4}')
    *_, terminated, truncated, info = env.step('{"answer": "A"}')
    assert (terminated, truncated, info["frames_used"]) == (True, False, 80)
    command = Path(sys.executable).with_name("zoomgym")
    said = subprocess.run([command, "--version"], check=True, capture_output=True, text=True)
    assert said.stdout == f"zoomgym {zoomgym.__version__}\n"
    assert metadata("zoomgym")["Version"] == zoomgym.__version__
    print(f"installed: {said.stdout.strip()}, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
