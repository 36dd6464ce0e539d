"""Listening to exchanges: the only room with websockets, and with threads that talk to them."""

from .inbox import Arrived, Connected, Disconnected, Failed, Inbox, Item, Told
from .listener import Listener, Manner, connect

__all__ = [
    "Arrived",
    "Connected",
    "Disconnected",
    "Failed",
    "Inbox",
    "Item",
    "Listener",
    "Manner",
    "Told",
    "connect",
]
