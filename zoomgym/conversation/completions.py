"""What the model of a client said, as the reply that the rules read."""

import json
from collections.abc import Sequence

from zoomgym.conversation.tools import ZOOM_NAME, name_of
from zoomgym.rules import END_OF_THOUGHT, THINK, Rules, action_in, grammar_of


def write_completion(
    text: str,
    calls: Sequence[tuple[str, str]],
    rules: Rules,
    *,
    thought: str = "",
    is_at_stop: bool = False,
) -> str:
    """Returns a completion as a reply: what the model wrote, as it wrote it.

    What the server removed is put back: the stop string, and the model's thoughts where the grammar
    has a place for them. Arguments of tool calls become the grammar's JSON, right or wrong, one
    call or several: the rules decide whether they can be executed. Words beside a call are its
    thought, for which `json` has no place; but a second action among them stays.

    Args:
        text: of the message.
        calls: native calls of tools: their names and arguments, as the model wrote them. Calls of
            tools that are not offered become JSON that no grammar knows.
        rules: of the episode.
        thought: where the server separates it from the text.
        is_at_stop: whether the stop string of the grammar may have ended it.
    """
    known = [name_of(tool) for tool in rules.tools]
    bodies = [
        arguments if name in known else json.dumps({"name": name, "arguments": arguments})
        for name, arguments in calls
    ]
    if grammar_of(rules.grammar).has_thoughts:
        return _write_tags(text, thought, bodies, rules.grammar, is_at_stop)
    is_action = not bodies or action_in(text, rules.grammar, rules.tools)
    return "\n".join([*([text] if text and is_action else []), *bodies])


def _write_tags(
    text: str, thought: str, bodies: Sequence[str], grammar: str, is_at_stop: bool
) -> str:
    """Returns a reply of a grammar of tags; bodies are the calls of a tool in it."""
    stop = grammar_of(grammar).stop
    if stop and is_at_stop and text.rfind(stop.replace("/", "")) > text.rfind(stop):
        text += stop
    if THINK not in text and bodies and not action_in(text, grammar):
        words = text.replace(END_OF_THOUGHT, "")  # a template may have written its opening tag
        text, thought = "", "\n".join(filter(None, (thought, words)))
    if THINK not in text and (thought or bodies):
        text = f"{THINK}{thought}{END_OF_THOUGHT}{text}"
    return text + "".join(f"<{ZOOM_NAME}>{body}</{ZOOM_NAME}>" for body in bodies)
