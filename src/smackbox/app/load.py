"""Finding the application in a Python file: the one `App` among its names."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from smackbox.app.model import App
from smackbox.base.errors import SettingError


def load_app(file: Path) -> App:
    """Import `file` and return its `App`.

    The file's folder is put on `sys.path`, as Python does for a script. Raises `SettingError` when the file is not
    there or does not hold exactly one application; what the file itself raises goes through.
    """
    file = file.resolve()
    if not file.is_file():
        raise SettingError(f"no application file {file}")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise SettingError(f"{file} is not a Python file")
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    apps = {id(value): value for value in vars(module).values() if isinstance(value, App)}
    if len(apps) != 1:
        raise SettingError(f"{file} must hold one smackbox.App, it holds {len(apps)}")
    return next(iter(apps.values()))
