"""Turns links to files outside `docs/` into links to the repository, for the site alone."""

import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)")
ROOT = Path(__file__).parents[1]


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Returns the text of a page with links that work on the site."""
    folder = Path(page.file.abs_src_path).parent

    def to_repository(link: re.Match[str]) -> str:
        target = (folder / link[1]).resolve()
        if target.is_relative_to(folder.resolve()) or target.is_relative_to(ROOT / "docs"):
            return link[0]
        if not target.exists():
            raise FileNotFoundError(f"{page.file.src_path}: there is no {link[1]}")
        kind = "tree" if target.is_dir() else "blob"
        return f"]({config.repo_url}/{kind}/main/{target.relative_to(ROOT)}{link[2] or ''})"

    return LINK.sub(to_repository, markdown)
