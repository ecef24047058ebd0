"""Gives the README links to the repository, for the page on PyPI, which has no other files."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\((?!https?://|#)([^)]+)\)")
PICTURES = (".png", ".svg")


class ReadmeLinks(MetadataHookInterface):
    """Sets the README of the package: hatchling calls `update` while it builds."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Adds `readme` to the metadata of the project."""
        source, version = metadata["urls"]["Source"], f"v{metadata['version']}"

        def to_repository(link: re.Match[str]) -> str:
            if not (ROOT / link[1].partition("#")[0]).is_file():
                raise FileNotFoundError(f"README.md: there is no {link[1]}")
            kind = "raw" if link[1].endswith(PICTURES) else "blob"
            return f"]({source}/{kind}/{version}/{link[1]})"

        text = LINK.sub(to_repository, (ROOT / "README.md").read_text(encoding="utf-8"))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
