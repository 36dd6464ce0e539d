"""Plugins are found by their names, and what is wrong with one is said when it is asked for."""

import pickle
import shutil
import sys
from pathlib import Path

import pytest

from werks.errors import PluginError
from werks.plugins import Plugins

SHOP = Path(__file__).with_name("shop.py")
GOOD = """
import attrs
from werks import hookimpl

@attrs.frozen
class Steps:
    "Does nothing."

@hookimpl
def werks_transforms():
    return {"NAME": Steps, "more": Steps}
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a distribution with a module and entry points."""
    before = set(sys.modules)

    def made(name: str, points: str, text: str = GOOD, version: str = "1.0") -> None:
        folder = tmp_path / f"site {name}"
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(head)
        (info / "entry_points.txt").write_text(points)
        (folder / f"{name.replace('-', '_')}.py").write_text(text)
        monkeypatch.syspath_prepend(str(folder))

    yield made
    for name in set(sys.modules) - before:
        if name.startswith(("acme", "other", "werks_file_")):
            del sys.modules[name]


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Return a function that writes a plugin of one file."""

    def made(text: str, name: str = "single") -> Path:
        monkeypatch.delitem(sys.modules, f"werks_file_{name}", raising=False)
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        return path

    return made


def test_the_built_in_ones_are_plugins_like_any_other():
    plugins = Plugins()
    offered = {"aggregate": "transform", "bars": "transform", "filter": "transform"}
    offered |= {"inline": "executor", "processes": "executor", "log": "observer"}
    assert set(offered) <= set(plugins.names())
    for name, kind in offered.items():
        assert list(plugins.components(name)) == [kind]
        assert list(plugins.find(kind, name)) == [f"werks_{kind}s"]
        assert plugins.distribution(name).startswith("werks 0.")


def test_the_name_of_an_entry_point_is_the_word_before_the_dot(install):
    install("acme-tools", "[werks]\nacme = acme_tools\n", GOOD.replace("NAME", "acme"))
    plugins = Plugins()
    assert "acme" in plugins.names()
    assert plugins.distribution("acme") == "acme-tools 1.0"
    for type_ in ("acme", "acme.more", "acme.acme"):
        (found,) = plugins.find("transform", type_).values()
        assert found.__name__ == "Steps"
    assert list(plugins.components("acme")["transform"]) == ["acme", "acme.more"]


def test_a_plugin_is_imported_when_it_is_asked_for(install):
    install("acme", "[werks]\nacme = acme\n")
    plugins = Plugins()
    plugins.names()
    plugins.get("bars")
    assert "acme" not in sys.modules
    plugins.get("acme")
    assert "acme" in sys.modules


def test_one_module_may_bear_several_names(install):
    install("acme", "[werks]\nacme = acme\nother = acme\n", GOOD.replace("NAME", "other"))
    plugins = Plugins()
    assert set(plugins.find("transform", "acme.more")) == {"werks_transforms"}
    assert set(plugins.find("transform", "other")) == {"werks_transforms"}


def test_a_source_has_a_class_for_each_of_its_doors():
    assert {
        hook: cls.__name__ for hook, cls in Plugins((SHOP,)).find("source", "shop.trades").items()
    } == {
        "werks_archives": "Trades",
        "werks_feeds": "Ticker",
    }


def test_two_distributions_with_one_name_are_refused_and_both_are_named(install):
    install("acme-one", "[werks]\nacme = acme_one\n")
    install("acme-two", "[werks]\nacme = acme_two\n", version="2.1")
    plugins = Plugins()
    with pytest.raises(PluginError) as raised:
        plugins.get("acme")
    one, two = sorted(["acme-one 1.0", "acme-two 2.1"])
    said = str(raised.value).replace(f"{two} and {one}", f"{one} and {two}")
    assert said == f'the plugin "acme" is claimed by {one} and {two}: uninstall one of them'
    assert plugins.find("transform", "bars")


def test_the_same_distribution_on_two_paths_is_one(install, tmp_path, monkeypatch):
    install("acme", "[werks]\nacme = acme\n")
    shutil.copytree(tmp_path / "site acme", tmp_path / "again")
    monkeypatch.syspath_prepend(str(tmp_path / "again"))
    assert Plugins().get("acme").__name__ == "acme"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def x(", "SyntaxError: '(' was never closed"),
    ],
)
def test_a_broken_plugin_that_is_not_used_breaks_nothing(install, text, said):
    install("acme", "[werks]\nacme = acme\n", text)
    plugins = Plugins()
    assert plugins.find("transform", "bars")
    with pytest.raises(PluginError) as raised:
        plugins.find("transform", "acme")
    start = f'the plugin "acme" of acme 1.0 cannot be loaded: {said}'
    assert str(raised.value).startswith(start)
    assert plugins.find("transform", "filter")


def test_a_module_that_is_not_there_is_told(install):
    install("acme", "[werks]\nacme = acme:nothing\n")
    with pytest.raises(PluginError, match=r'"acme" of acme 1\.0 cannot be loaded: AttributeError'):
        Plugins().get("acme")


def test_a_misspelt_hook_is_refused_and_harms_no_other_plugin(install):
    install("acme", "[werks]\nacme = acme\n", GOOD.replace("werks_transforms", "werks_transform"))
    plugins = Plugins()
    for _ in range(2):
        with pytest.raises(
            PluginError, match=r'^the plugin "acme": .*unknown hook .werks_transform'
        ):
            plugins.get("acme")
        assert plugins.find("transform", "bars")


def test_a_hook_that_takes_what_it_is_not_given_is_refused(install):
    text = GOOD.replace("werks_transforms()", "werks_transforms(config)")
    install("acme", "[werks]\nacme = acme\n", text)
    plugins = Plugins()
    with pytest.raises(PluginError, match=r'^the plugin "acme": .*config'):
        plugins.get("acme")
    assert plugins.find("transform", "bars")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ('["x"]', r"a table of classes by name is expected, not \['x'\]"),
        ('{"single": 5}', '"single" is no attrs class: 5'),
        ('{"single": int}', "\"single\" is no attrs class: <class 'int'>"),
    ],
)
def test_a_hook_that_offers_no_components_is_told(file, answer, said):
    text = f"from werks import hookimpl\n@hookimpl\ndef werks_sinks():\n    return {answer}\n"
    plugins = Plugins((file(text),))
    with pytest.raises(PluginError, match=f'^the plugin "single": werks_sinks: {said}$'):
        plugins.find("sink", "single")
    assert plugins.find("transform", "bars")


def test_a_plugin_of_one_file_bears_the_name_of_its_file(file):
    path = file(GOOD.replace("NAME", "single"))
    plugins = Plugins((path,))
    assert plugins.distribution("single") == "a file"
    assert list(plugins.components("single")["transform"]) == ["single", "single.more"]


def test_the_classes_of_a_file_can_be_sent_to_other_processes(file):
    (steps,) = Plugins((file(GOOD.replace("NAME", "single")),)).find("transform", "single").values()
    assert pickle.loads(pickle.dumps(steps())) == steps()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = [", "SyntaxError: '[' was never closed"),
        (GOOD.replace("werks_transforms", "werks_transform"), "unknown hook 'werks_transform'"),
    ],
)
def test_a_file_that_is_broken_is_told(file, text, said):
    path = file(text)
    with pytest.raises(PluginError) as raised:
        Plugins((path,))
    assert said in str(raised.value)
    assert "single" in str(raised.value)


@pytest.mark.parametrize("name", ["none.py", "folder", "notes.txt"])
def test_a_file_that_is_no_python_is_told(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("x = 1")
    with pytest.raises(PluginError, match=f"^{tmp_path / name}: there is no Python file$"):
        Plugins((tmp_path / name,))


def test_a_file_may_not_take_a_name_that_is_installed(file):
    path = file(GOOD, "bars")
    said = f'{path}: the plugin "bars" is installed already: rename the file'
    with pytest.raises(PluginError, match=f"^{said}$"):
        Plugins((path,))


@pytest.mark.parametrize(
    ("kind", "type_", "said"),
    [
        ("source", "nasdaq.trades", '"nasdaq" is installed; if there is one: pip install werks-n'),
        ("transform", "barz", 'no plugin "barz" is installed; did you mean "bars"[?]$'),
        ("sink", "bars", 'the plugin "bars" offers no sink .it offers: transform.$'),
        ("transform", "bars.more", '"bars" has no transform "more"; it has: bars; did you mean "b'),
        ("source", "shop.trade", '"shop" has no source "trade"; it has: shop.trades, .*"shop.tra'),
    ],
)
def test_what_is_not_there_is_told_with_a_way_out(kind, type_, said):
    with pytest.raises(PluginError, match=said):
        Plugins((SHOP,)).find(kind, type_)
