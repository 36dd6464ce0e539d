"""The nodes of a file are joined as their inputs say, and what cannot be joined is refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from werks.config import read
from werks.errors import ConfigError
from werks.pipeline import Graph

SHOP = Path(__file__).with_name("shop.py")
NOW = datetime(2024, 6, 10, tzinfo=UTC)


def source(name="trades", type_="shop.trades", symbols='["X"]', start="01", stop="03") -> str:
    return (
        f'[sources.{name}]\ntype = "{type_}"\nsymbols = {symbols}\nfolder = "shelf"\n'
        f"start = 2024-05-{start}\nstop = 2024-05-{stop}\n"
    )


def node(name: str, inputs: str, type_="aggregate", more="") -> str:
    names = ", ".join(f'"{each}"' for each in inputs.split())
    return f'[transforms.{name}]\ntype = "{type_}"\ninputs = [{names}]\n{more}\n'


def minutes(name: str, inputs: str) -> str:
    return node(name, inputs, "bars", 'by = "time"\nevery = "1m"')


def sink(inputs: str, name="lines") -> str:
    return node(name, inputs, "shop", 'path = "out"').replace("transforms", "sinks")


@pytest.fixture
def graph(tmp_path):
    """Return a function that gives the graph of a text."""

    def made(*text: str) -> Graph:
        path = tmp_path / "p.toml"
        path.write_text("".join(text))
        return Graph(read(path, NOW, (SHOP,)))

    return made


@pytest.fixture
def problems(graph):
    """Return a function that gives the problems of a text, without the file's name."""

    def found(*text: str) -> list[str]:
        with pytest.raises(ConfigError) as raised:
            graph(*text)
        return [line.partition("p.toml: ")[2] for line in raised.value.problems]

    return found


def test_a_transform_stands_behind_its_inputs_wherever_it_is_written(graph):
    (branch,) = graph(
        sink("c"), minutes("c", "b"), node("b", "a"), node("a", "trades"), source()
    ).branches
    assert [each.name for each in branch.transforms] == ["a", "b", "c"]
    assert [each.name for each in branch.above(frozenset("b"))] == ["a", "b"]
    assert [each.name for each in branch.sinks["c"]] == ["lines"]
    assert branch.sinks["a"] == ()


def test_each_source_has_a_branch_with_what_it_feeds(graph):
    both = graph(
        source(),
        source("more", "shop.other"),
        node("both", "trades more"),
        node("one", "trades"),
        sink("both one"),
    )
    names = [[each.name for each in branch.transforms] for branch in both.branches]
    assert names == [["both", "one"], ["both"]]
    scales = [branch.schemas["both"].field("price").type.scale for branch in both.branches]
    assert scales == [2, 3]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("tick", '"tick": there is no such node; did you mean "ticks"?'),
        ("nobody", '"nobody": there is no such node; there are: trades, ticks'),
        ("lines", '"lines": a sink gives no rows'),
    ],
)
def test_an_input_that_is_no_node_is_told(problems, inputs, said):
    text = (source(), node("ticks", "trades"), sink("ticks"), sink(inputs, "more"))
    assert problems(*text) == [f"sinks.more.inputs: {said}"]


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([node("a", "a")], "transforms.a.inputs: a circle: a"),
        ([node("a", "b trades"), node("b", "a")], "transforms.a.inputs: a circle: a, b"),
        (
            [node("free", "trades"), node("a", "c free"), node("b", "a"), node("c", "b")],
            "transforms.a.inputs: a circle: a, b, c",
        ),
    ],
)
def test_a_circle_is_told(problems, nodes, said):
    assert problems(source(), *nodes, sink("trades a")) == [said]


def test_nodes_whose_rows_nobody_takes_are_told(problems):
    text = (source(), source("more", symbols='["Y"]'), node("ticks", "trades"), sink("trades"))
    assert problems(*text) == [
        "sources.more: nothing takes its rows: name it as an input",
        "transforms.ticks: nothing takes its rows: name it as an input",
    ]


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (
            node("ticks", "trades") + minutes("bars", "trades ticks"),
            "bars cannot mix trades, ticks: their rows or scales differ",
        ),
        (minutes("m", "trades") + minutes("bars", "m"), "bars takes .* and not BAR of m"),
        (minutes("m", "trades") + node("bars", "m"), "aggregate takes .* and not BAR of m"),
    ],
)
def test_rows_that_a_transform_cannot_take_are_told(graph, nodes, said):
    with pytest.raises(ConfigError, match=rf"p\.toml: transforms\.bars\.inputs: {said}$"):
        graph(source(), nodes, sink("bars"))


CLASH = ['sources.more: "ticks" gets the same symbols and days from trades, too']


@pytest.mark.parametrize(
    "more",
    [
        source("more"),
        source("more", symbols='["Y", "X"]'),
        source("more", start="02", stop="09"),
        source("more").replace("stop = 2024-05-03\n", ""),
    ],
)
def test_two_sources_may_not_give_a_node_the_same_days(problems, more):
    assert problems(source(), more, node("ticks", "trades more"), sink("ticks")) == CLASH


def test_two_sources_may_not_share_a_day_that_is_cut(problems):
    cut = source(stop="02T12:00:00")
    text = (source("more", start="02"), node("ticks", "trades more"), sink("ticks"))
    assert problems(cut, *text) == CLASH


def test_two_components_of_a_market_may_not_give_a_node_the_same_days(problems):
    text = (source("more", "shop.night"), node("ticks", "trades more"), sink("ticks"))
    assert problems(source(), *text) == CLASH


@pytest.mark.parametrize(
    "more",
    [
        source("more", symbols='["Y"]'),
        source("more", start="03", stop="05"),
        source("more", "shop.other"),
    ],
)
def test_two_sources_may_give_a_node_other_windows(graph, more):
    assert len(graph(source(), more, node("ticks", "trades more"), sink("ticks")).branches) == 2


def fingerprints(graph: Graph) -> dict[str, str]:
    return dict(graph.branches[0].prints.fingerprints)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ('"1m"', '"5m"', {"bars"}),
        (
            'type = "shop.trades"',
            'type = "shop.trades"\nmarket = "linear"',
            {"trades", "t", "bars"},
        ),
        ("2024-05-03", "2024-05-07", set()),
        ('["X"]', '["X", "Y"]', set()),
        ('"shelf"', '"elsewhere"', set()),
        ('"out"', '"there"', {"lines"}),
        ('path = "out"', 'path = "out"\ntoken = "x"', set()),
        ('every = "1m"', 'every = "1m"\nempty = "omit"', set()),
    ],
)
def test_a_fingerprint_covers_what_changes_the_rows_and_nothing_else(graph, old, new, changed):
    text = source() + node("t", "trades") + minutes("bars", "t") + sink("bars")
    before, after = fingerprints(graph(text)), fingerprints(graph(text.replace(old, new)))
    assert {name for name in before if before[name] != after[name]} == changed


def test_a_node_may_not_take_the_rows_of_a_source_by_two_ways(problems):
    two = (node("ticks", "trades"), node("more", "trades"))
    said = 'transforms.all.inputs: takes the rows of "trades" twice, by ticks and by more'
    assert problems(source(), *two, node("all", "ticks more"), sink("all")) == [said]
