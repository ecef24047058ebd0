"""Rules of an episode: what a reply may be, what a zoom shows, what is left, what it is worth.

Pure values and functions: nothing here knows Gymnasium, decodes a video or draws a task.
"""
