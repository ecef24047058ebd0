"""How a person sees an episode: as text, as a picture, on a screen."""

from zoomgym.render.screen import PICTURE_SIZE, Screen, describe, paint

__all__ = ["PICTURE_SIZE", "Screen", "describe", "paint"]
