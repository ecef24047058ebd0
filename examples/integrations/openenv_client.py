"""Plays an episode on an OpenEnv server, which it starts: replies come from your model."""

import threading
import time

import uvicorn

from zoomgym.integrations.openenv import ZoomAction, ZoomClient, make_app

app = make_app({"tasks": "synthetic:flash", "source": "scene", "num_overview": 16})
server = uvicorn.Server(uvicorn.Config(app, port=8123, log_level="warning"))
threading.Thread(target=server.run, daemon=True).start()
while not server.started:
    time.sleep(0.1)

with ZoomClient("http://127.0.0.1:8123").sync() as client:
    result = client.reset(seed=0)
    chat = result.observation.messages  # in OpenAI's form, pictures as data URLs
    for reply in ('{"segment": [20, 28], "fps": 2}', '{"answer": "A"}'):  # your model's words
        result = client.step(ZoomAction(reply=reply))
        chat += [{"role": "assistant", "content": reply}, *result.observation.messages]
    print(f"{len(chat)} messages, reward {result.reward}, {result.observation.terms}")
