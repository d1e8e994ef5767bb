"""smackbox: the SMACK stack from one `pip install`, each letter its real wire protocol.

Names are loaded when they are first used, so that `import smackbox` stays cheap in tools, tests and short scripts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smackbox.app.model import App as App
    from smackbox.app.patches import DELETE as DELETE

__version__ = "0.1.0"

_LAZY = {
    "App": "smackbox.app.model",
    "DELETE": "smackbox.app.patches",
}

__all__ = ["DELETE", "App", "__version__"]


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'smackbox' has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
