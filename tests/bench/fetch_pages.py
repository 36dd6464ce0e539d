"""Asks for all pages of some days one after the other and does nothing with them but find the next.

No back-fill by pages can be faster: which page is next stands in the one before.
"""

import http.client
import sys
from urllib.parse import urlencode, urlsplit

_LAST_ID = b'"id": '


def main() -> None:
    """Ask a simulated exchange (its address, symbol, first and last time in microseconds)."""
    url, symbol, start, stop = sys.argv[1:]
    query = {"symbol": symbol, "limit": "1000", "start": start}
    last, pages = 0, 0
    while last < int(stop):
        connection = http.client.HTTPConnection(urlsplit(url).netloc)  # closed by each answer
        connection.request("GET", f"/trades?{urlencode(query)}")
        body = connection.getresponse().read()
        connection.close()
        row = body[body.rindex(_LAST_ID) :].split(b",")
        query = {"symbol": symbol, "limit": "1000", "after": row[0].split()[1].decode()}
        last, pages = int(row[1].split()[1]), pages + 1
    sys.stdout.write(f"{pages}\n")


if __name__ == "__main__":
    main()
