"""Every error that steerway raises on purpose, in one tree.

::

    SteerwayError
    ├── SettingsError        a setting is unknown, of the wrong type or out of range
    ├── SourceError          a source of facts cannot be opened or read at all
    │   └── DocumentError    one document of a file is broken (file, line, reason, hint)
    ├── TranslateError       an object cannot become a valid xDS resource
    │   └── UnknownServiceError    a name is that of no service that is served
    ├── ListenError          an address of an HTTP listener cannot be bound
    └── EngineError          the native engine cannot start or was used after its end

A *bad object* is not an exception that travels: it becomes a `steerway.sources.store.Problem`, the object is
skipped (its last good version stays), and the rest is served.
"""

from collections.abc import Sequence


class SteerwayError(Exception):
    """Base of all errors that are meant for a person; `str()` is one clear sentence."""


class SettingsError(SteerwayError):
    """A setting is unknown, has the wrong type or is out of range."""


class SourceError(SteerwayError):
    """A source of facts cannot be opened or read at all. `hint` is the fix, where the text does not name it."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


class DocumentError(SourceError):
    """One document of a file is broken.

    `where` is `file:line`, `reason` is the error and `hint` the fix.
    """

    def __init__(self, where: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{where}: {reason}" + (f" ({hint})" if hint else ""))
        self.where = where
        self.reason = reason
        self.hint = hint


class TranslateError(SteerwayError):
    """An object cannot become a valid xDS resource."""


class UnknownServiceError(TranslateError):
    """A name is that of no service that is served. `nearest` are names that may have been meant."""

    def __init__(self, reason: str, nearest: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.nearest = list(nearest)


class ListenError(SteerwayError):
    """An address of an HTTP listener cannot be bound."""


class EngineError(SteerwayError):
    """The native engine cannot start, or was used after its end."""
