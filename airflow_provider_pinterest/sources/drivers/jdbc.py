"""JDBC, through JayDeBeApi and JPype. Cells of types that JayDeBeApi does not know come as Java objects."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from airflow_provider_pinterest.sources.drivers.base import Converter, DriverReader, or_itself, sequences


class Jdbc(DriverReader):
    """JayDeBeApi: its cursor reads the result row by row."""

    modules = ("jaydebeapi",)
    paramstyle = "qmark"

    def __init__(self, hook: Any, connection: Any, sql: str) -> None:
        super().__init__(hook, connection, sql)
        self._kinds: dict[type, Converter | None] = {str: None, type(None): None}
        make_daemon()

    def fetch_cells(self, size: int) -> Sequence[Any]:
        """Return the next rows with Java objects made plain."""
        return [[self._plain(cell) for cell in row] for row in sequences(super().fetch_cells(size))]

    def cancel(self) -> None:
        """Cancel the cursor's statement in another thread, because some drivers wait until the statement has ended."""
        statement = self.cursor._prep  # noqa: SLF001 - JayDeBeApi has no method for it
        threading.Thread(target=_cancel, args=(statement,), name="pinterest-cancel", daemon=True).start()

    def _plain(self, cell: Any) -> Any:
        """Return a cell as a plain Python value, or the cell itself if its type is not known."""
        kind = type(cell)
        if kind not in self._kinds:
            self._kinds[kind] = converter(kind)
        convert = self._kinds[kind]
        return or_itself(convert, cell) if convert else cell


def converter(kind: type) -> Converter | None:
    """Return the converter for Java objects of a class, by the name of the class or of its bases."""
    for base in kind.__mro__:
        if base.__name__ in _CONVERTERS:
            return _CONVERTERS[base.__name__]
    return None


def make_daemon() -> None:
    """Attach the current thread as a daemon, so that the process can end while the thread is in a Java call."""
    java = None if threading.current_thread() is threading.main_thread() else _java_thread()
    if java is None or java.currentThread().isDaemon():
        return
    loader = java.currentThread().getContextClassLoader()
    java.detach()
    java.attachAsDaemon()
    java.currentThread().setContextClassLoader(loader)


@contextmanager
def thread_left_as_found() -> Generator[None, None, None]:
    """Detach the current thread from the Java VM at the end, if it was attached inside the block.

    JayDeBeApi attaches each thread that connects, even if connecting fails. The process cannot end before such a thread
    is detached. The main thread stays attached, because the Java VM does not wait for it.
    """
    thread = threading.current_thread()
    found = thread is threading.main_thread() or _java_thread() is not None
    try:
        yield
    finally:
        java = None if found or thread is not threading.current_thread() else _java_thread()
        if java is not None:
            java.detach()


def _cancel(statement: Any) -> None:
    with thread_left_as_found(), suppress(Exception):  # it may have ended, and not every driver can do it
        statement.cancel()


def _java_thread() -> Any:
    """Return the class ``java.lang.Thread`` if the current thread is attached to a Java VM."""
    jpype = sys.modules.get("jpype")  # JayDeBeApi loads it with the first connection
    if jpype is None or not jpype.isJVMStarted():
        return None
    java = jpype.java.lang.Thread
    return java if java.isAttached() else None


def _text(cell: Any) -> str:
    return str(cell.toString())


def _moment(cell: Any) -> str:
    """Return ISO 8601 text; a ``ZonedDateTime`` has the name of its zone in brackets after it."""
    return _text(cell).partition("[")[0]


def _clob(cell: Any) -> str:
    size = int(cell.length())
    return str(cell.getSubString(1, size)) if size else ""


def _blob(cell: Any) -> bytes:
    size = int(cell.length())
    return _bytes(cell.getBytes(1, size)) if size else b""


def _bytes(cell: Any) -> bytes:
    return memoryview(cell).tobytes()


def _float(cell: Any) -> float:
    """Convert the digits of a 32-bit float, which would change in a direct conversion to 64 bits."""
    return float(_text(cell))


_CONVERTERS: Final[Mapping[str, Converter]] = {
    "java.lang.Boolean": bool,
    "java.lang.Byte": int,
    "java.lang.Short": int,
    "java.lang.Integer": int,
    "java.lang.Long": int,
    "java.lang.Float": _float,
    "java.lang.Double": float,
    "JBoolean": bool,
    "JByte": int,
    "JShort": int,
    "JInt": int,
    "JLong": int,
    "JDouble": float,
    "java.lang.String": str,
    "java.sql.Clob": _clob,
    "java.sql.NClob": _clob,
    "java.sql.Blob": _blob,
    "java.time.Instant": _text,
    "java.time.LocalDate": _text,
    "java.time.LocalDateTime": _text,
    "java.time.OffsetDateTime": _text,
    "java.time.ZonedDateTime": _moment,
    "java.util.UUID": _text,
    "byte[]": _bytes,
}
"""Name of a Java class or of a primitive type of JPype → its converter."""
