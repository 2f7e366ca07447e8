"""Everything that a test or a demonstration needs to start a stand-in and to drive it."""

from playground.control_client import PlaygroundClient, PlaygroundError
from playground.records import Attachment, Call, Interaction, Message, Reference
from playground.server_process import PlaygroundServer

__all__ = [
    "Attachment",
    "Call",
    "Interaction",
    "Message",
    "PlaygroundClient",
    "PlaygroundError",
    "PlaygroundServer",
    "Reference",
]
