"""Loading what a run needs, at no more cost than that."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """Import modules and make what stays as long as they do.

    The garbage collector would look through all of it time and again, and once more at the end,
    which takes as long as a third of the imports.
    """
    # NumPy's linear algebra, which nobody here uses, would start threads that wait by spinning.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
