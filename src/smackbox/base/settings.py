"""Settings: flags > `SMACK_*` environment > `smackbox.toml` > defaults; an unknown key suggests a similar one.

A settings type is a frozen `msgspec.Struct`; its section in the file is a TOML table (`[kafka]`), its environment
variables are `SMACK_<SECTION>_<FIELD>`. Values are converted and checked by msgspec, so an error names the field.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from smackbox.base.errors import SettingError

DEFAULT_FILE = Path("smackbox.toml")
ENVIRONMENT_PREFIX = "SMACK_"


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of every server command. `dir` None means memory only; port 0 picks a free port."""

    host: str = "127.0.0.1"
    port: int = 0
    dir: Path | None = None
    sync: bool = False
    insecure: bool = False
    metrics_port: int | None = None


S = TypeVar("S", bound=msgspec.Struct)


def load(
    settings_type: type[S],
    section: str,
    flags: Mapping[str, Any],
    *,
    defaults: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> S:
    """One settings object from all four sources. A flag that is None is not set.

    `defaults` override those of the type: each command has its own port and folder.

    Raises `SettingError` for an unknown key, a value of the wrong type, or a file that is not TOML.
    """
    environ = os.environ if environ is None else environ
    known = {field.name for field in msgspec.structs.fields(settings_type)}
    values: dict[str, Any] = dict(defaults or {})
    table = read_file(file).get(section, {})
    if not isinstance(table, dict):
        raise SettingError(f"[{section}] in {file or DEFAULT_FILE} must be a table")
    for key, value in table.items():
        _check_known(key, known, f"[{section}] in {file or DEFAULT_FILE}")
        values[key] = value
    prefix = f"{ENVIRONMENT_PREFIX}{section.upper()}_"
    for variable, text in environ.items():
        if variable.startswith(prefix):
            key = variable.removeprefix(prefix).lower()
            _check_known(key, known, f"the environment variable {variable}")
            values[key] = text
    values.update({key: value for key, value in flags.items() if value is not None})
    try:
        return msgspec.convert(values, settings_type, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingError(f"{section}: {error}") from error


def read_file(file: Path | None) -> dict[str, Any]:
    """The whole settings file; empty when the default file is not there. A named file must exist."""
    path = file or DEFAULT_FILE
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if file is None:
            return {}
        raise SettingError(f"no settings file {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} is not TOML: {error}") from error


def near(key: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` if a similar name is known, otherwise an empty string."""
    match = difflib.get_close_matches(key, list(known), n=1)
    return f" (did you mean {match[0]!r}?)" if match else ""


def _check_known(key: str, known: set[str], where: str) -> None:
    if key not in known:
        raise SettingError(f"unknown setting {key!r} in {where}{near(key, known)}; known: {', '.join(sorted(known))}")


def _decode(target: type, value: Any) -> Any:
    if target is Path:
        return Path(value)
    raise NotImplementedError(target)
