"""Talking to one InfluxDB 2 server: requests, answers as Arrow tables, and its errors said in our words.

Rows are asked for with InfluxQL (``/query``), newest values with Flux: see docs/adr/0007-influxdb.md for why, with figures.
"""

from __future__ import annotations

import io
import json
import re
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
import pyarrow.csv as pacsv
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.domain.dialect import Dialect
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from hearthwatch.errors import Invalid, Unavailable

_dialect: Any = Dialect
_retention_rule: Any = BucketRetentionRules

CONNECT_MS, ANSWER_MS = 5_000, 120_000
DEFAULT_PORT = 8086
DAY_S = 86_400
BLOCK, STREAM_BLOCK = 1 << 20, 4 << 20
"""Bytes of an answer that are read at once."""

_ID = re.compile("[0-9a-f]{16}")
"""An organisation's id, which may stand for its name."""

_ERROR = re.compile(rb'"error":("(?:[^"\\]|\\.)*")')
ERROR_PIECES = 16
"""Pieces of some hundred kilobytes of an answer in which its error is looked for."""

# The CSV of /query drops the error of a statement. What ran through is followed by the answer to this one, which never is empty.
_SENTINEL = "EXPLAIN SELECT a FROM b"
_SENTINEL_ANSWER = b"name,tags,QUERY PLAN\n,,\n"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store lies: ``influxdb://HOST:PORT/ORG/BUCKET?token_file=PATH``."""

    url: str
    org: str
    bucket: str
    token: str

    @property
    def raw(self) -> str:
        """The bucket of the readings."""
        return self.bucket

    @property
    def rollups(self) -> str:
        """The bucket of all that is kept as long as the rollups."""
        return f"{self.bucket}_rollups"

    @property
    def state(self) -> str:
        """The bucket of what the store knows about itself."""
        return f"{self.bucket}_state"


def parse(address: str) -> Address:
    """An address's parts. Raises `Invalid` when one is missing, or the token's file cannot be read."""
    parts = urlsplit(address)
    path = [unquote(part) for part in parts.path.split("/") if part]
    options = parse_qs(parts.query)
    if len(path) != 2 or not parts.hostname:
        raise Invalid("expected influxdb://HOST:PORT/ORG/BUCKET?token_file=PATH", where="telemetry")
    unknown = options.keys() - {"token", "token_file"}
    if unknown or len(options) != 1:
        raise Invalid("expected one option, token_file=PATH (or token=...)", where="telemetry")
    try:
        port = parts.port or DEFAULT_PORT
        token = options["token"][0] if "token" in options else Path(options["token_file"][0]).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise Invalid(f"cannot read the address or the token's file: {error}", where="telemetry") from None
    scheme = "https" if parts.scheme == "influxdbs" else "http"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Address(f"{scheme}://{host}:{port}", path[0], path[1], token)


class Malformed(Exception):
    """The server could not read a line (400): nothing of the request is stored."""


class TooLarge(Exception):
    """The request is larger than the server takes (413)."""


class Partial(Exception):
    """The server refused some lines for good (422) and stored the others."""


class Server:
    """One server and the three buckets of one store. Any number of threads may use it."""

    def __init__(self, address: Address) -> None:
        self.address = address
        # Most of the client is without types.
        self._client: Any = InfluxDBClient(
            address.url, address.token, org=address.org, timeout=(CONNECT_MS, ANSWER_MS), retries=False
        )
        self._writer: Any = self._client.write_api(write_options=SYNCHRONOUS)
        self._ensuring = threading.Lock()
        self._ensured = False
        self._closed = False

    def close(self) -> None:
        """Release the connections. May be called twice."""
        if not self._closed:
            self._closed = True
            self._writer.close()
            self._client.close()

    def write(self, bucket: str, body: bytes) -> None:
        """Store lines of line protocol; durable when it returns. Raises `Malformed`, `TooLarge`, `Partial` or `Unavailable`."""
        self._ensure()
        with self._translated(writing=True):
            self._writer.write(bucket=bucket, org=self.address.org, record=body, write_precision="ns")

    def select(self, bucket: str, query: str, types: Mapping[str, pa.DataType]) -> pa.Table:
        """Rows of one InfluxQL SELECT; columns without a given type are numbers. No rows, no columns."""
        body = b"".join(self._answer(bucket, query))
        if not body.endswith(_SENTINEL_ANSWER):
            raise self._failure(bucket, query)
        rows = body[: -len(_SENTINEL_ANSWER)]
        if not rows.strip():
            return pa.table({})
        header = rows[: rows.index(b"\n")].decode()
        with _read_as_csv():
            return pacsv.read_csv(
                pa.py_buffer(rows),
                read_options=pacsv.ReadOptions(block_size=_block_size(rows)),
                parse_options=pacsv.ParseOptions(newlines_in_values=False),
                convert_options=_converted(header, types),
            )

    def stream(self, bucket: str, query: str, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """As `select`, for answers that do not fit memory: in pieces, while the server still reads."""
        source = _Parts(self._answer(bucket, query))
        header = source.peek_line()
        if header in {b"", _SENTINEL_ANSWER.splitlines()[0]}:
            if source.read() != _SENTINEL_ANSWER:
                raise self._failure(bucket, query)
            return
        ended: list[str] = []

        def other_shape(row: Any) -> str:
            ended.append(row.text or "")
            return "skip"

        with self._translated(), _read_as_csv():
            yield from pacsv.open_csv(
                source,
                read_options=pacsv.ReadOptions(block_size=STREAM_BLOCK, use_threads=False),
                parse_options=pacsv.ParseOptions(invalid_row_handler=other_shape),
                convert_options=_converted(header.decode(), types),
            )
        if ended[:1] != ["name,tags,QUERY PLAN"]:
            raise self._failure(bucket, query)

    def flux(self, query: str) -> str:
        """The CSV a Flux query answers with, without annotations."""
        self._ensure()
        with self._translated():
            dialect = _dialect(header=True, annotations=[], delimiter=",")
            answer = self._client.query_api().query_raw(query, org=self.address.org, dialect=dialect)
            text: str = answer.data.decode()
        if text.startswith(("error,", ",error")):
            raise Unavailable(f"the query failed: {text:.300}", where="influxdb")
        return text

    def retain(self, bucket: str, seconds: int) -> None:
        """Let the server delete what is older, by whole shards; changes nothing when the rule is about the same already."""
        self._ensure()
        with self._translated():
            found = self._bucket(bucket)
            now = found.retention_rules[0].every_seconds if found.retention_rules else 0
            if now == 0 or abs(now - seconds) > DAY_S:
                rule = _retention_rule(
                    type="expire", every_seconds=seconds, shard_group_duration_seconds=_shard_seconds(seconds)
                )
                found.retention_rules = [rule]
                self._client.buckets_api().update_bucket(found)

    def admit(self, bucket: str, oldest_s: float) -> None:
        """Have the server keep everything again, if its rule would refuse what is as old as this. `retain` brings the rule back."""
        self._ensure()
        with self._translated():
            found = self._bucket(bucket)
            seconds = found.retention_rules[0].every_seconds if found.retention_rules else 0
            if seconds and oldest_s < time.time() - seconds + DAY_S:
                found.retention_rules = [_retention_rule(type="expire", every_seconds=0)]
                self._client.buckets_api().update_bucket(found)

    def _failure(self, bucket: str, query: str) -> Unavailable:
        """The error of a query that was not answered in full, in the server's own words: it says them in JSON alone."""
        reason = ""
        with suppress(Unavailable), closing(self._answer(bucket, query, accept="application/json")) as answer:
            found = _ERROR.search(b"".join(islice(answer, ERROR_PIECES)))
            reason = json.loads(found[1]) + ": " if found else ""
        return Unavailable(f"the query was not answered in full: {reason:.300}{query:.200}", where="influxdb")

    def _answer(self, bucket: str, query: str, accept: str = "application/csv") -> Generator[bytes, None, None]:
        self._ensure()
        with self._translated():
            answer = self._client.api_client.call_api(
                "/query",
                "POST",
                query_params=[("db", bucket), ("epoch", "ns"), ("chunked", "true"), ("chunk_size", "20000")],
                header_params={"Accept": accept, "Content-Type": "application/vnd.influxql"},
                body=f"{query}; {_SENTINEL}",
                _preload_content=False,
                _return_http_data_only=True,
                urlopen_kw={},
            )
            try:
                yield from answer.stream(1 << 20)
            except BaseException:
                answer.close()
                raise
            answer.release_conn()

    def _ensure(self) -> None:
        """Create the buckets that are missing, on the first use: a server that starts later is no error at ours."""
        if self._closed:
            raise Unavailable("the store is closed", where="influxdb")
        if self._ensured:
            return
        with self._ensuring, self._translated():
            for name in (self.address.raw, self.address.rollups, self.address.state):
                if self._find_bucket(name) is None:
                    self._create(name)
            self._ensured = True

    def _bucket(self, name: str) -> Any:
        found = self._find_bucket(name)
        if found is None:
            raise Unavailable(f"the bucket {name} is gone, or the token may not see it", where="influxdb")
        return found

    def _find_bucket(self, name: str) -> Any:
        """Our bucket of this name: a token that sees several organisations may see several."""
        organisation = {"org_id" if _ID.fullmatch(self.address.org) else "org": self.address.org}
        try:
            found = self._client.buckets_api().find_buckets(name=name, **organisation).buckets
        except ApiException as error:
            if error.status != 404:  # 404: no such bucket, or no such organisation, which creating it will say
                raise
            return None
        return found[0] if found else None

    def _create(self, name: str) -> None:
        try:
            self._client.buckets_api().create_bucket(bucket_name=name, org=self.address.org)
        except ApiException as error:
            if error.status != 422 or self._find_bucket(name) is None:  # 422: another process was faster
                raise

    @contextmanager
    def _translated(self, *, writing: bool = False) -> Iterator[None]:
        try:
            yield
        except ApiException as error:
            raise _said(error, self.address, writing=writing) from None
        except InfluxDBError as error:  # the client's own: it did not find the organisation
            raise Unavailable(f"{error}; name an existing one, or a token that may see it", where="influxdb") from None
        except (HTTPError, OSError) as error:
            raise Unavailable(f"{self.address.url} does not answer: {error!s:.300}", where="influxdb") from None


def _shard_seconds(retention: int) -> int:
    """Shards of a day for short retention, of a week for long: deletion is by whole shards, and each costs memory."""
    return DAY_S if retention <= 90 * DAY_S else 7 * DAY_S


def _said(error: ApiException, address: Address, *, writing: bool) -> Exception:
    reason = _reason(error)
    remedies = {
        401: "the token is not accepted; put a valid one into the token file",
        403: f"the token may not do this; it needs read and write on {address.raw}, {address.rollups} and {address.state}",
        404: f"organisation {address.org!r} or one of the buckets {address.raw}* does not exist, or the token may not see it",
    }
    if writing and error.status == 400:
        return Malformed(reason)
    if writing and error.status == 413:
        return TooLarge(reason)
    if writing and error.status == 422:
        return Partial(reason)
    if error.status in remedies:
        return Unavailable(f"{remedies[error.status]} ({error.status}: {reason})", where="influxdb")
    return Unavailable(
        f"the server answered {error.status}: {reason}", retry_after=_retry_after(error), where="influxdb"
    )


def _reason(error: ApiException) -> str:
    body = error.body if error.body is not None else error.reason
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        said = json.loads(text)
    except ValueError:
        return text[:300]
    return str(said.get("message", said.get("error", text)))[:300] if isinstance(said, dict) else text[:300]


def _retry_after(error: ApiException) -> float | None:
    headers: Any = error.headers or {}
    try:
        return float(headers.get("Retry-After") or "")
    except ValueError:  # absent, or a date
        return None


def _converted(header: str, types: Mapping[str, pa.DataType]) -> pacsv.ConvertOptions:
    names = header.rstrip("\r").split(",")
    return pacsv.ConvertOptions(
        column_types={name: types.get(name) or _type_of(name) for name in names},
        null_values=[""],
        strings_can_be_null=False,
        include_columns=[name for name in names if name != "name"],
    )


def _block_size(rows: bytes) -> int:
    """Bytes read at once, at most 2 GiB: a row that does not fit is an error, and a row may hold many texts of a MiB."""
    return min(max(BLOCK, len(rows)), 2**31 - 1)


@contextmanager
def _read_as_csv() -> Iterator[None]:
    try:
        yield
    except pa.ArrowInvalid as error:
        raise Unavailable(f"the answer cannot be read: {error!s:.300}", where="influxdb") from None


def _type_of(name: str) -> pa.DataType:
    return pa.string() if name.startswith("Hourly_") else _OURS.get(name, pa.float64())


_OURS = {
    "name": pa.string(),
    "tags": pa.string(),
    "time": pa.int64(),
    "device": pa.string(),
    "stream": pa.string(),
    **dict.fromkeys(("Firmware", "Boot", "Kind", "Code", "Detail", "Hours", "Daily"), pa.string()),
    **dict.fromkeys(
        ("Seq", "Version", "Done", "Before", "Run", "First", "Last", "RawBefore", "RollupsBefore", "Stored"), pa.int64()
    ),
    **dict.fromkeys(("Clockless", "Online"), pa.bool_()),
}


class _Parts(io.RawIOBase):
    """The pieces of an answer, of some kilobytes each, as one file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        held, length = [self._left], len(self._left)
        while size < 0 or length < size:
            part = next(self._parts, None)
            if part is None:
                break
            held.append(part)
            length += len(part)
        whole = b"".join(held)
        size = len(whole) if size < 0 else size
        self._left = whole[size:]
        return whole[:size]

    def peek_line(self) -> bytes:
        """The first line, without taking it."""
        while b"\n" not in self._left:
            part = next(self._parts, None)
            if part is None:
                break
            self._left += part
        return self._left.split(b"\n", 1)[0]
