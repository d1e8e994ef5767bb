"""The errors of a running program over event time. (Its declaration raises `SettingError`.)"""

from __future__ import annotations

from smackbox.base.errors import UserError


class FlowStateError(UserError):
    """The saved state is another program's, or of a type that cannot be read; nothing was written."""


class FlowFunctionError(UserError):
    """A function of the user failed on a row, or returned what the program cannot go on with."""


class FlowResultError(UserError):
    """A function of the user failed on a timer or a result, for which no event of the batch is to blame."""
