"""`werks new`: a pipeline file to begin with, and the skeleton of a plugin."""

import re
from importlib.resources import files
from pathlib import Path

import click

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def new_file(path: Path) -> int:
    """Write a pipeline file that runs as it is, with the simulated exchange."""
    if path.exists():
        click.echo(f"error: {path}: is there already; name another file", err=True)
        return 2
    text = _template("pipeline.toml").replace("NAME", path.stem)
    return _written({path: text}, f"next: werks check {path} && werks run {path}")


def new_plugin(name: str) -> int:
    """Write a distribution with a source of one's own, ready to be installed and tested."""
    if not _NAME.fullmatch(name):
        click.echo(f"error: {name}: a plugin's name is lower case: [a-z][a-z0-9_]*", err=True)
        return 2
    folder = Path(f"werks-{name}")
    if folder.exists():
        click.echo(f"error: {folder}: is there already; move it away", err=True)
        return 2
    made = {
        folder / "pyproject.toml": "plugin_pyproject.toml",
        folder / "README.md": "plugin_readme.md",
        folder / f"werks_{name}" / "__init__.py": "plugin_init.py.txt",
        folder / "tests" / f"test_{name}.py": "plugin_test.py.txt",
    }
    texts = {path: _template(file).replace("NAME", name) for path, file in made.items()}
    return _written(texts, f"next: pip install -e '{folder}[test]' && pytest {folder}")


def _template(name: str) -> str:
    return files("werks.cli").joinpath("templates", name).read_text(encoding="utf-8")


def _written(texts: dict[Path, str], then: str) -> int:
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            click.echo(f"error: {path}: cannot be written: {error.strerror}", err=True)
            return 1
        click.echo(f"{path}")
    click.echo(then)
    return 0
