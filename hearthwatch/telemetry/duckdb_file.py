"""An open DuckDB database: cursors, transactions, and its errors said in our words."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import duckdb

from hearthwatch.errors import Invalid, Unavailable

Cursor = duckdb.DuckDBPyConnection

_HOLDER = re.compile(r"lock is held in .*?\(PID (\d+)\)")
_OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    # No extension is ever fetched over the network.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "memory_limit": "768MB",
    # Fewer, larger checkpoints: each one stops the writer for a moment.
    "checkpoint_threshold": "64MB",
}
_OPEN: set[Path] = set()
_OPEN_LOCK = threading.Lock()


class DuckDBFile:
    """One database, one process, any number of threads: a cursor for each piece of work, one writer at a time.

    ``generation`` counts how often the file was opened: what was remembered of an earlier one has to be read again.
    """

    def __init__(self, path: str | None) -> None:
        """Open a file, or a database in memory (``None``). Raises `Unavailable` or `Invalid`."""
        self._path = Path(path).absolute() if path is not None else None
        self._writer = threading.RLock()
        self._opening = threading.Lock()
        self._root: Cursor | None = None
        self._broken = False
        self._closed = False
        self.generation = 0
        self._claim()
        try:
            self._open()
        except BaseException:
            self._release()
            raise

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A cursor that sees one consistent state of the database."""
        with self._translated(), self._cursor() as cursor:
            cursor.begin()
            yield cursor

    def turn(self) -> AbstractContextManager[object]:
        """The writer's turn, for what has to happen together with a write."""
        return self._writer

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """One transaction of the one writer: durable when the block ends, nothing of it when it raises."""
        with self._translated(), self._writer, self._cursor() as cursor:
            cursor.begin()
            yield cursor
            cursor.commit()

    @contextmanager
    def deriving(self) -> Iterator[Cursor]:
        """A transaction beside the writer's, for tables the writer does not touch."""
        with self._translated(), self._cursor() as cursor:
            cursor.begin()
            yield cursor
            cursor.commit()

    def close(self) -> None:
        """Finish the write that is running, bring the log into the file and release it. May be called twice."""
        with self._writer, self._opening:
            if self._closed:
                return
            self._closed = True
            root, self._root = self._root, None
            if root is not None:
                with suppress(duckdb.Error):  # a full disk: the log keeps everything until the next opening
                    root.execute("CHECKPOINT")
                root.close()
            self._release()

    @contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        with self._opening:
            if self._closed:
                raise Unavailable("the store is closed", where="telemetry")
            if self._broken or self._root is None:
                self._open()
            assert self._root is not None
            cursor = self._root.cursor()
        try:
            yield cursor
        finally:
            with suppress(duckdb.Error):  # closing ends an open transaction by rolling it back
                cursor.close()

    def _open(self) -> None:
        if self._root is not None:
            with suppress(duckdb.Error):
                self._root.close()
            self._root = None
        try:
            self._root = duckdb.connect(str(self._path or ":memory:"), config=dict(_OPTIONS))
            if self._path is None:
                self._root.execute("SET temp_directory = ''")
        except duckdb.Error as error:
            raise self._opening_error(error) from error
        self._broken = False
        self.generation += 1

    def _opening_error(self, error: duckdb.Error) -> Invalid | Unavailable:
        text = str(error)
        if (holder := _HOLDER.search(text)) is not None:
            return Unavailable(
                f"another process (PID {holder.group(1)}) has it open; an embedded store belongs to one process at a time",
                where=str(self._path),
            )
        if "not a valid DuckDB" in text or "older version" in text or "newer version" in text:
            return Invalid(f"is not a database this version can open: {_first_line(text)}", where=str(self._path))
        return Unavailable(f"cannot be opened: {_first_line(text)}", where=str(self._path))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate DuckDB's errors into ours; with `_opening_error` the one place that does."""
        try:
            yield
        except (duckdb.DataError, duckdb.IntegrityError) as error:
            raise Invalid(f"the store cannot hold this: {_first_line(error)}", where="telemetry") from error
        except duckdb.FatalException as error:
            # After such an error the engine refuses everything until the file is opened again.
            self._broken = self._path is not None
            raise Unavailable(f"the store failed: {_first_line(error)}", where="telemetry") from error
        except (duckdb.OperationalError, duckdb.InterruptException) as error:
            raise Unavailable(f"the store is away: {_first_line(error)}", where="telemetry") from error
        except duckdb.Error as error:
            if "has been invalidated" in str(error) or "onnection already closed" in str(error):
                self._broken = self._path is not None
                raise Unavailable(f"the store failed: {_first_line(error)}", where="telemetry") from error
            raise

    def _claim(self) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"cannot be created: {error.strerror}", where=str(self._path.parent)) from None
        with _OPEN_LOCK:
            # DuckDB would share one database between two openings, and their writers would not know of each other.
            if self._path in _OPEN:
                raise Unavailable("this process has it open already", where=str(self._path))
            _OPEN.add(self._path)

    def _release(self) -> None:
        if self._path is not None:
            with _OPEN_LOCK:
                _OPEN.discard(self._path)


def _first_line(error: object) -> str:
    return str(error).splitlines()[0] if str(error) else "no reason given"
