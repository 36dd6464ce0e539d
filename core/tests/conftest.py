"""How hard hypothesis tries: `HYPOTHESIS_PROFILE=long` for many examples, drawn anew each time."""

import os
import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

settings.register_profile("short", max_examples=4, deadline=None, derandomize=True)
settings.register_profile("long", max_examples=60, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


@pytest.fixture
def shop(monkeypatch) -> ModuleType:
    """The plugin of one file, as a module."""
    path = Path(__file__).with_name("shop.py")
    spec = util.spec_from_file_location("shop_of_the_test", path)
    module = util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "shop_of_the_test", module)
    spec.loader.exec_module(module)
    return module
