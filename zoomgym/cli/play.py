"""A person plays an episode in the terminal."""

import json
import math
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from zoomgym.envs import ZoomEnv
from zoomgym.render import describe, inline_picture, paint, save_frames
from zoomgym.rules import score

HELP = """\
  zoom START END FPS   see the frames from START to END, in seconds, at FPS a
                       second: zoom 4 6 8
  answer TEXT          answer and end the episode: answer B
  {..}                 any other reply, sent as it is, like
                       {"crop": [0, 0, 0.5, 0.5], "at": 12.5}
  help                 this text
  quit                 stop"""


def play(
    env: ZoomEnv,
    folder: Path,
    *,
    task_id: str | None,
    seed: int | None,
    is_graded: bool,
    ask: Callable[[str], str],
    say: Callable[[str], None],
) -> None:
    """Plays one episode, in the grammar `json`, with a person, and saves its frames in folder.

    Without task_id, seed draws the task. The outcome is shown if is_graded: the answer is known.
    `ask` shows a prompt and returns a line, or raises EOFError to stop; `say` shows a text.
    """
    env.reset(seed=seed, options=None if task_id is None else {"task_id": task_id})
    say(f"A question about a video of {env.episode.duration_s:.1f} s. You may reply with\n{HELP}\n")
    _show(env, folder, say)
    while not env.episode.is_over:
        try:
            line = ask("> ").strip()
        except EOFError:
            line = "quit"
        if line == "quit":
            say("stopped")
            return
        reply = to_reply(line)
        if reply is None:
            say(HELP if line in ("", "help") else f"not understood: {line!r}. Send\n{HELP}")
            continue
        env.step(reply)
        if not env.episode.is_over:
            _show(env, folder, say)
    if is_graded:
        say(describe(env.episode, env.reward_weights))
        _save_picture(env, folder, say)
        say("right" if score(env.episode).accuracy else f"wrong: it is {env.episode.task.truth}")
    else:
        say(f"your answer: {env.episode.answer or '(none)'} (no --answer was given to grade it by)")


def to_reply(line: str) -> str | None:
    """Returns the reply that a typed line means, or None if it means none (and costs no turn)."""
    word, _, rest = line.partition(" ")
    if line.startswith("{"):
        return line
    if word == "answer" and rest.strip():
        return json.dumps({"answer": rest.strip()})
    if word == "zoom":
        try:
            start_s, end_s, fps = (float(number) for number in rest.split())
        except ValueError:
            return None
        if not all(map(math.isfinite, (start_s, end_s, fps))):
            return None
        return json.dumps({"segment": [start_s, end_s], "fps": fps})
    return None


def _show(env: ZoomEnv, folder: Path, say: Callable[[str], None]) -> None:
    """Shows the episode as text, and its newest frames as pictures."""
    say(describe(env.episode, env.reward_weights))
    seen = env.observation
    turn = env.episode.turns[-1] if env.episode.turns else None
    if turn is None:
        save_frames(folder, "overview", seen.overview)
    elif turn.shown:
        save_frames(folder, f"{turn.tool}{len(seen.clips)}", seen.clips[-1])
    _save_picture(env, folder, say)


def _save_picture(env: ZoomEnv, folder: Path, say: Callable[[str], None]) -> None:
    """Saves the picture of the whole episode, and shows it where the terminal can."""
    seen = env.observation
    picture = paint(env.episode, seen.overview, seen.clips, env.reward_weights)
    path = folder / f"turn{len(env.episode.turns)}.png"
    Image.fromarray(picture).save(path)
    say(f"{inline_picture(picture)}picture: {path}; frames beside it")
