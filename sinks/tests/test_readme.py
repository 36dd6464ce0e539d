import re
import tomllib
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import attrs
import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
KINDS = ("csv", "feather", "parquet", "sqlite")


@pytest.mark.parametrize("kind", KINDS)
def test_the_entry_point_offers_the_sink(kind):
    (found,) = entry_points(group="werks", name=kind)
    sinks = found.load().werks_sinks()
    assert list(sinks) == [kind]
    assert sinks[kind].__name__ == kind.capitalize()


@pytest.mark.parametrize("kind", KINDS)
def test_the_readme_has_each_option_with_default_and_help(kind):
    section = re.search(rf"\n##+ `{kind}`\n(.*?)(?=\n##|\Z)", README, re.DOTALL)[1]
    found = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", section, re.MULTILINE)
    cls = import_module(f"werks_sinks.{kind}").werks_sinks()[kind]
    assert [name for name, *_ in found] == [field.name for field in attrs.fields(cls)]
    for field, (_, default, help_text) in zip(attrs.fields(cls), found, strict=True):
        shown = f'"{field.default}"' if isinstance(field.default, str) else field.default
        assert default == ("required" if field.default is attrs.NOTHING else f"`{shown}`")
        assert help_text == field.metadata["help"]


def test_the_pipeline_of_the_readme_is_toml_with_options_that_exist():
    pipeline = tomllib.loads(re.search(r"```toml\n(.*?)```", README, re.DOTALL)[1])
    for sink in pipeline["sinks"].values():
        cls = import_module(f"werks_sinks.{sink['type']}").werks_sinks()[sink["type"]]
        assert set(sink) - {"type", "inputs"} <= {field.name for field in attrs.fields(cls)}
