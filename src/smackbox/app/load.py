"""Finds the application in a Python file: the one `App` among its names."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from smackbox.app.model import App
from smackbox.app.patches import check_patch
from smackbox.app.streams import check_copy
from smackbox.base.errors import SettingError, UserError


class _SourceLoader(SourceFileLoader):
    """Compiles the file each time: Python's cache misses a change within a second that keeps the size."""

    def get_code(self, fullname: str) -> CodeType | None:
        return self.source_to_code(self.get_data(self.path), self.path)


def load_app(file: Path) -> App:
    """Import `file` and return its `App`.

    The file's folder is put on `sys.path`, as Python does for a script. Raises `SettingError` when the file is not
    there, fails when it is imported, or does not hold exactly one application.
    """
    file = file.resolve()
    module = load_script(file, "application file")
    apps = {id(value): value for value in vars(module).values() if isinstance(value, App)}
    if len(apps) != 1:
        raise SettingError(f"{file} must hold one smackbox.App, it holds {len(apps)}")
    app = next(iter(apps.values()))
    for stream in app.streams:
        check_copy(stream)
    for patch in app.patches:
        check_patch(patch, app.streams)
    return app


def load_script(file: Path, what: str = "script") -> ModuleType:
    """Import `file`, a `what`, by its path; its folder is put on `sys.path`. Raises `SettingError`."""
    file = file.resolve()
    if not file.is_file():
        raise SettingError(f"no {what} {file}")
    if file.suffix != ".py":
        raise SettingError(f"{file} is not a Python file")
    loader = _SourceLoader(file.stem, str(file))
    spec = importlib.util.spec_from_file_location(file.stem, file, loader=loader)
    assert spec is not None, "there is a loader"
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        loader.exec_module(module)
    except UserError:
        raise
    except Exception as error:
        raise SettingError(f"{file.name} cannot be loaded: {place_of(error, file)}") from error
    return module


def place_of(error: BaseException, file: Path) -> str:
    """An exception of a user's code in one line: where in `file` it came from, its type and its text."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"line {error.lineno}: {type(error).__name__}: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    where = f"line {lines[-1]}: " if lines else ""
    text = " ".join(str(error).split())
    return f"{where}{type(error).__name__}: {text} (smack --debug shows the traceback)"
