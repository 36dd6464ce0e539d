"""Sends trades of Binance at a rate to who subscribes, each with the time of its sending.

Called with trades a second, how many, and of how many symbols in turn; prints its address, ends
with standard input.
"""

import socket
import sys
import threading
import time
from contextlib import suppress

from live_serve import frame, greeted

_TICK = 0.001


def symbol(at: int) -> str:
    """Return what the symbol with a number is called."""
    return f"S{at}USDT" if at else "BTCUSDT"


def _trade(turn: int, now: int, symbols: int) -> bytes:
    number, name = (turn - 1) // symbols + 1, symbol((turn - 1) % symbols)
    price, size = 6_000_000 + number * 7 % 4001, 1 + number * 13 % 90_000
    data = (
        f'{{"e":"trade","E":{now},"s":"{name}","t":{number},"p":"{price / 100:.8f}",'
        f'"q":"{size / 1e5:.8f}","T":{now},"m":{"true" if number % 3 else "false"},"M":true}}'
    )
    return frame(f'{{"stream":"{name.lower()}@trade","data":{data}}}'.encode())


def _serve(connection: socket.socket, rate: int, count: int, symbols: int) -> None:
    with suppress(OSError), connection:
        greeted(connection)
        connection.recv(1 << 16)  # the subscription
        connection.sendall(frame(b'{"result":null,"id":1}'))
        began, sent = time.perf_counter(), 0
        while sent < count:
            due = min(count, int((time.perf_counter() - began) * rate))
            if due > sent:
                now = time.time_ns() // 1000
                connection.sendall(
                    b"".join(_trade(n, now, symbols) for n in range(sent + 1, due + 1))
                )
                sent = due
            time.sleep(_TICK)
        while connection.recv(1 << 16):
            pass


def main() -> None:
    """Serve each connection in a thread of its own."""
    sent = tuple(map(int, sys.argv[1:]))
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listening, sent), daemon=True).start()
    sys.stdout.write(f"ws://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


def _accept(listening: socket.socket, sent: tuple[int, ...]) -> None:
    while True:
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(connection, *sent), daemon=True).start()


if __name__ == "__main__":
    main()
