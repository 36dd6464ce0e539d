"""The public door: its names are there, and going through it costs next to nothing."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from typing import Any

import pytest

import werks
import werks.testing

HEAVY = ("attrs", "cattrs", "httpx", "numpy", "pluggy", "pyarrow", "rich", "sqlalchemy")


@pytest.mark.parametrize("module", [werks, werks.testing], ids=lambda module: module.__name__)
def test_every_public_name_is_there_and_in_order(module):
    assert list(module.__all__) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)


@pytest.mark.parametrize("module", [werks, werks.testing], ids=lambda module: module.__name__)
def test_what_is_public_is_all_that_is_reached_by_name(module):
    assert sorted(module._HOMES) == sorted({*module.__all__} - {"__version__"})
    with pytest.raises(AttributeError, match=f"^module '{module.__name__}' has no attribute 'x'$"):
        module.x  # noqa: B018
    assert not hasattr(module, "Ledger")


def loaded(statement: str) -> set[str]:
    """Return which of the heavy modules are loaded after a statement in a fresh process."""
    code = f"import sys; {statement}; print(*set({HEAVY}) & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["werks", "werks.cli", "werks.errors"])
def test_importing_it_loads_nothing_heavy(module):
    assert loaded(f"import {module}") == set()


def test_the_pytest_plugin_loads_nothing_but_pytest():
    """It is loaded in every test run of an environment that has werks, used or not."""
    assert loaded("import werks.testing.plugin") == loaded("import pytest")


def test_help_loads_nothing_heavy():
    help_ = "from werks.cli import main; main(['--help'], standalone_mode=False)"
    quiet = f"import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()): {help_}"
    assert loaded(f"exec({quiet!r})") == set()


def test_the_contract_of_a_plugin_loads_no_database_and_no_client():
    heavy = loaded("from werks import File, blocks, hookimpl, option; from werks import schema")
    assert heavy.isdisjoint({"cattrs", "httpx", "rich", "sqlalchemy"})


def modules() -> list[Any]:
    found = pkgutil.walk_packages(werks.__path__, "werks.")
    return [importlib.import_module(each.name) for each in found if "__main__" not in each.name]


def test_everything_public_says_what_it_is():
    silent = []
    for module in modules():
        own = [module, *(v for k, v in vars(module).items() if not k.startswith("_"))]
        for each in own:
            home = each.__name__ if inspect.ismodule(each) else getattr(each, "__module__", "")
            documented = inspect.isclass(each) or inspect.isfunction(each) or each is module
            if documented and home == module.__name__ and not inspect.getdoc(each):
                silent.append(f"{module.__name__}: {each}")
    assert silent == []
