"""Plays scripted episodes on a real OpenEnv server, over loopback."""

import json
import socket
import threading
import time
from functools import cache
from typing import Any

import uvicorn

from zoomgym.integrations.openenv import ZoomAction, ZoomClient, make_app


@cache
def serve(arguments: str) -> str:
    """Returns the address of a server for these arguments, which runs until the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(make_app(json.loads(arguments)), port=port, log_level="warning")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    return f"http://127.0.0.1:{port}"


def play(task_id: str, replies: list[str], arguments: dict[str, Any]) -> float:
    with ZoomClient(serve(json.dumps(arguments))).sync() as client:
        result = client.reset(seed=0, task_id=task_id)
        for reply in replies:
            result = client.step(ZoomAction(reply=reply))
    assert result.done
    return float(result.reward)
