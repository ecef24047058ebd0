"""The errors zoomgym raises: one class per boundary where something outside can be wrong."""


class ZoomGymError(Exception):
    """Root of everything zoomgym raises on purpose. The message says: needed, got, do this."""


class AgentError(ZoomGymError):
    """An agent could not reply: what it needs failed. Its episode is neither right nor wrong."""


class FinderError(ZoomGymError):
    """What searches for the tool `find`, a function of the user, did not do it. Names it."""


class GradingError(ZoomGymError):
    """An answer could not be graded. It is neither right nor wrong; the message says why."""


class OverviewError(ZoomGymError):
    """What picks an overview, such as a function of the user, did not return one. Names it."""


class RecordError(ZoomGymError):
    """A records file, or an episode in it, is wrong. The message names file and line."""


class ReplyError(ZoomGymError):
    """An agent's reply cannot be executed. It becomes feedback; it never leaves `episode`."""


class CallError(ReplyError):
    """A zoom call is clear, but its numbers break the rules: it is refused."""


class TaskError(ZoomGymError):
    """A task set, a task, or a row of a file is wrong. The message names the place."""


class VideoError(ZoomGymError):
    """A video cannot be opened or decoded. The message names the file."""
