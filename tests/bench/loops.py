"""Two equal loops that need nothing but a processor, by one process or by two at once."""

import subprocess
import sys

_LOOP = "n = 0\nfor i in range(20_000_000):\n    n += i * i"

if __name__ == "__main__":
    command = [sys.executable, "-c", _LOOP]
    if sys.argv[1] == "1":
        for _ in range(2):
            subprocess.run(command, check=True)
    else:
        both = [subprocess.Popen(command) for _ in range(2)]
        sys.exit(max(each.wait() for each in both))
