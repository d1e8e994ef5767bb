"""Runs `module:function` of a submitted job: `python -m smackbox.spark.job_function reports:daily arguments…`.

The function gets what its parameters ask for by name: `spark` (a session), `sc` (a `SparkContext`), and `args`, the
arguments as texts. What it returns is printed, where it is not None.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from typing import Any

from smackbox.base.errors import SettingError
from smackbox.base.settings import near

GIVEN = ("args", "sc", "spark")


def run(name: str, arguments: list[str]) -> None:
    """Raises `SettingError` for a function that is not there or wants something else."""
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise SettingError(f"there is no module {module_name!r} on the path or in --py-files ({error})") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise SettingError(f"{module_name} has no function {function_name!r}{near(function_name, vars(module))}")
    values: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in GIVEN:
            values[parameter.name] = _value(parameter.name, arguments)
        elif parameter.default is inspect.Parameter.empty:
            raise SettingError(f"{name} wants {parameter.name!r}; there is {', '.join(GIVEN)}")
    try:
        result = function(**values)
        if result is not None:
            print(result)
    finally:
        for value in values.values():
            if hasattr(value, "stop"):
                value.stop()


def _value(name: str, arguments: list[str]) -> Any:
    if name == "args":
        return arguments
    if name == "sc":
        from smackbox.spark.rdd.context import SparkContext

        return SparkContext()
    from smackbox.spark.connect import session

    return session(os.environ.get("SPARK_REMOTE"))


def main() -> None:
    sys.argv[:] = sys.argv[1:]
    try:
        run(sys.argv[0], sys.argv[1:])
    except SettingError as error:
        print(f"smack: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
