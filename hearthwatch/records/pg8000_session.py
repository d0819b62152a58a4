"""pg8000's connection with one round trip for each statement, and one for a whole batch of rows.

pg8000 waits for the server three times in a statement with parameters (parse, bind, execute), and again for every row of ``executemany``.
The protocol needs one wait: the messages are sent together, and the first error makes the server skip to the next Sync. See "Pipelining" in
https://www.postgresql.org/docs/15/protocol-flow.html#PROTOCOL-FLOW-PIPELINING.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import islice
from typing import Any

from pg8000.converters import make_params  # type: ignore[import-untyped]
from pg8000.core import (  # type: ignore[import-untyped]
    IN_FAILED_TRANSACTION,
    IN_TRANSACTION,
    NULL_BYTE,
    SYNC_MSG,
    Context,
)
from pg8000.dbapi import Connection, Cursor, Error, InterfaceError  # type: ignore[import-untyped]

# Rows sent before their answers are read: what the server answers to them must fit into the sockets' buffers, or both sides wait for ever.
ROWS_AT_ONCE = 500

_TIMESTAMPTZ = 1184


class Session(Connection):  # type: ignore[misc]
    """A connection that begins no transaction by itself, and takes statements with ``$1`` for parameters."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        with network_errors():
            super().__init__(*arguments, **options)
        self.autocommit = True
        self.register_in_adapter(_TIMESTAMPTZ, datetime.fromisoformat)

    def cursor(self) -> Cursor:
        """A cursor that pipelines."""
        return PipelinedCursor(self)

    def commit(self) -> None:
        """Commit, if a transaction is on."""
        self._end("commit")

    def rollback(self) -> None:
        """Roll back, if a transaction is on."""
        self._end("rollback")

    def close(self) -> None:
        """Close it; one whose server is gone is closed all the same."""
        with network_errors():
            super().close()

    def run(self, statement: str, values: Sequence[Any] = ()) -> Context:
        """Run one statement; returns its rows and what else it answered."""
        with network_errors():
            if not values:
                return self.execute_simple(statement)
            context = Context(statement)
            with self._in_step():
                self.send_PARSE(NULL_BYTE, statement)
                self.send_DESCRIBE_STATEMENT(NULL_BYTE)
                self._send_row(values)
            self._finish(context)
            return context

    def run_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> Context:
        """Run one statement for each row of values; only how many rows it changed is kept of the answers."""
        context = Context(statement)
        remaining = iter(rows)
        with network_errors():
            while some := list(islice(remaining, ROWS_AT_ONCE)):
                with self._in_step():
                    self.send_PARSE(NULL_BYTE, statement)
                    for values in some:
                        self._send_row(values)
                self._finish(context)
        return context

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """Messages that are composed here; where one can not be (text with half a character), what was sent before it is settled first."""
        try:
            yield
        except Exception:
            with suppress(Error, OSError, AttributeError, ValueError):
                self._finish(Context("settled"))
            raise

    def _send_row(self, values: Sequence[Any]) -> None:
        self.send_BIND(NULL_BYTE, make_params(self.py_types, values))
        self.send_EXECUTE()

    def _finish(self, context: Context) -> None:
        self._sock.write(SYNC_MSG)
        self._sock.flush()
        self.handle_messages(context)

    def _end(self, statement: str) -> None:
        if self._transaction_status in {IN_TRANSACTION, IN_FAILED_TRANSACTION}:
            self.run(statement)


class PipelinedCursor(Cursor):  # type: ignore[misc]
    """A cursor over a `Session`."""

    def execute(self, operation: str, args: Sequence[Any] = (), stream: Any = None) -> None:
        """Run one statement."""
        self._keep(self._session().run(operation, args))

    def executemany(self, operation: str, param_sets: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of values."""
        self._keep(self._session().run_many(operation, param_sets))

    def _session(self) -> Session:
        if self._c is None:
            raise InterfaceError("Cursor closed")
        session: Session = self._c
        return session

    def _keep(self, context: Context) -> None:
        self._context = context
        self._row_iter = None if context.rows is None else iter(context.rows)


@contextmanager
def network_errors() -> Iterator[None]:
    """Say every way in which a connection breaks as the driver's `InterfaceError`; it lets some through as they come."""
    try:
        yield
    except OSError as error:
        raise InterfaceError(f"network error: {error.strerror or type(error).__name__}") from error
    except (AttributeError, ValueError) as error:  # its socket is None, or its file closed, once it was closed
        if "'NoneType'" in str(error) or "closed file" in str(error):
            raise InterfaceError("connection is closed") from error
        raise
