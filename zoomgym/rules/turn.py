"""A turn: one reply and what came back."""

from dataclasses import dataclass

from zoomgym.rules.actions import (
    TOOL_OF,
    Call,
    CropCall,
    FindCall,
    FrameCall,
    TranscriptCall,
    ZoomCall,
    ZoomCalls,
)

LAST_TURN = "This is the last turn: only an answer counts."


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply and what came back."""

    reply: str
    """The raw text as the agent sent it, cut where it is too long."""
    is_well_formed: bool
    zoom: ZoomCall | None = None
    """The zoom that was executed, with its end cut to the video."""
    error: str = ""
    """Why the reply was not executed, in words; see `error_kind`."""
    feedback: str = ""
    """Text that the agent reads afterwards."""
    transcript: TranscriptCall | None = None
    """The call for a transcript that was executed, with its end cut to the video."""
    told: str = ""
    """What a call was told, which is in the feedback, too; empty if nothing is said there."""
    crop: CropCall | None = None
    """The part of a frame that was shown."""
    find: FindCall | None = None
    """The search that was executed, with its end cut to the video."""
    found_s: tuple[float, ...] = ()
    """Seconds: the moments that the search told, the best match first."""
    frames_scanned: int = 0
    """Frames that the search looked at. They are not shown or paid for."""
    zooms: tuple[ZoomCall, ...] = ()
    """The zooms that were executed of a reply that held several calls; `error` says what was not.

    Their frames are one clip."""

    @property
    def shown(self) -> FrameCall | None:
        """The call that showed frames, if the turn did."""
        return self.zoom or self.crop or (ZoomCalls(self.zooms) if self.zooms else None)

    @property
    def all_zooms(self) -> tuple[ZoomCall, ...]:
        """The zooms that were executed, one or several."""
        return (self.zoom,) if self.zoom else self.zooms

    @property
    def num_calls(self) -> int:
        """How many calls were executed, whatever the tool."""
        return len(self.zooms) or int(self.call is not None)

    @property
    def call(self) -> Call | None:
        """The call that was executed, whatever its tool, if the turn had one."""
        return self.shown or self.transcript or self.find

    @property
    def tool(self) -> str:
        """Name of the tool whose call was executed; empty if none was."""
        return TOOL_OF[type(self.call)] if self.call else ""
