"""How hard hypothesis tries: `HYPOTHESIS_PROFILE=long` for many examples, drawn anew each time."""

import os

from hypothesis import settings

settings.register_profile("short", max_examples=4, deadline=None, derandomize=True)
settings.register_profile("long", max_examples=60, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
