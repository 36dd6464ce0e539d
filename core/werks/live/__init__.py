"""Listening to exchanges: the only room with websockets, and with threads that talk to them."""

from .connects import Manner
from .inbox import ROOM, Arrived, Connected, Disconnected, Failed, Inbox, Item, Told
from .listener import Listener
from .recording import Recording
from .replaying import Player, Replay

__all__ = [
    "ROOM",
    "Arrived",
    "Connected",
    "Disconnected",
    "Failed",
    "Inbox",
    "Item",
    "Listener",
    "Manner",
    "Player",
    "Recording",
    "Replay",
    "Told",
]
