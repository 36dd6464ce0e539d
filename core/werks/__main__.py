"""`python -m werks` is `werks`."""

from .cli import main

main(prog_name="werks")
