"""Everything about a person as one archive: rows as lines of JSON, photos, and the telemetry of their devices while they were theirs.

Regulation (EU) 2016/679, Art. 15 and 20. Rows, photos and telemetry are read a few at a time, so that years of it need no memory.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from html import escape
from typing import IO, Any

import pyarrow as pa
from sqlalchemy import Connection

from hearthwatch.ports import TelemetryStore
from hearthwatch.records import audit, devices, personal
from hearthwatch.records.customers import Ownership
from hearthwatch.records.database import Database

SLICE = timedelta(days=7)
"""Telemetry is read so much at a time."""
A_DAY = timedelta(days=1)
MEANS: Mapping[str, tuple[str, str]] = {
    "customer.json": ("Who you are, and how we reach you", "您的身份与联系方式"),
    "homes.jsonl": ("Your homes", "您的住所"),
    "ownerships.jsonl": ("Which device was yours, from when to when", "您拥有各设备的时间段"),
    "consents.jsonl": ("What you agreed to and withdrew, and when", "您同意与撤回的事项及时间"),
    "notices.jsonl": ("What we wrote to you", "我们给您的通知"),
    "notice_events.jsonl": ("What became of each notice", "每条通知的处理记录"),
    "sent.jsonl": ("How and when notices left us", "通知的发送记录"),
    "mailbox.jsonl": ("Letters in the built-in mailbox", "内置信箱中的信件"),
    "tickets.jsonl": ("Service cases", "服务单"),
    "ticket_events.jsonl": ("What happened in each case", "服务单的处理过程"),
    "ticket_messages.jsonl": ("What was written in each case", "服务单中的消息"),
    "approvals.jsonl": ("Repairs you were asked to pay for, and your answers", "付费维修的询问与您的答复"),
    "surveys.jsonl": ("What you answered when we asked how it went", "您对服务的评价"),
    "reports.jsonl": ("What you reported to us", "您的报修内容"),
    "inbound_mails.jsonl": ("Mail we got from you", "您发来的邮件"),
    "commands.jsonl": ("What we asked your devices, and their answers", "我们向您的设备发出的查询及其回复"),
    "updates.jsonl": ("Updates you accepted", "您接受的更新"),
    "findings.jsonl": ("What we found out about your devices", "我们对您设备的诊断结果"),
    "finding_events.jsonl": ("What became of each finding", "诊断结果的后续"),
    "audit.jsonl": ("Who did what about you in our system", "系统中与您有关的操作记录"),
    "photos.jsonl": (
        "The photos you sent: to which report, when, in which file",
        "您发送的照片：所属报修、时间与文件名",
    ),
    "photos/": ("The photos themselves", "照片文件"),
    "telemetry/": ("What your devices reported while they were yours (CSV)", "您拥有设备期间设备上报的数据（CSV）"),
}
"""What each file holds, in English and Chinese."""


def export(
    database: Database, store: TelemetryStore, customer_id: str, target: IO[bytes], *, actor: str, now: datetime
) -> Mapping[str, int]:
    """Write the archive of a person, and note in the audit trail that it was made. Returns rows by file.

    Raises `Missing` for no such customer, `Unavailable` when a store is away.
    """
    counts: dict[str, int] = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        with database.reading() as connection:
            person = personal.person(connection, customer_id)
            archive.writestr("customer.json", json.dumps(asdict(person.customer), ensure_ascii=False, indent=1))
            counts["customer.json"] = 1
            for name, query in personal.parts(person).items():
                counts[f"{name}.jsonl"] = _member(archive, f"{name}.jsonl", personal.lines(connection, query))
            counts["photos/"] = _photos(archive, connection, person)
            known = devices.find(connection, [held.device_id for held in person.ownerships])
        first_seen = {device_id: device.first_seen for device_id, device in known.items()}
        counts["telemetry/"] = _telemetry(archive, store, person.ownerships, first_seen, now)
        archive.writestr("index.html", _index(person.customer.name, counts, now))
    with database.transaction() as connection:
        detail = {"rows": sum(counts.values())}
        named = f"customer:{customer_id}"
        audit.note(connection, at=now, actor=actor, action="customer.export", object=named, detail=detail)
    return counts


def _member(archive: zipfile.ZipFile, name: str, lines: Iterable[bytes]) -> int:
    written = 0
    with archive.open(name, "w", force_zip64=True) as member:
        for line in lines:
            member.write(line)
            written += 1
    return written


def _photos(archive: zipfile.ZipFile, connection: Connection, person: personal.Person) -> int:
    written = 0
    for name, picture in personal.photos(connection, person):
        archive.writestr(name, picture)
        written += 1
    return written


def _telemetry(
    archive: zipfile.ZipFile,
    store: TelemetryStore,
    held: Iterable[Ownership],
    first_seen: Mapping[str, datetime | None],
    now: datetime,
) -> int:
    written = 0
    for number, span in enumerate(held, 1):
        until = min(span.to_at or now, now)
        begin = _begin(store, span, first_seen.get(span.device_id), until)
        for what, read in _readers(store, span.device_id).items():
            slices = (read(since, to) for since, to in _slices(begin, until))
            name = f"telemetry/{span.device_id}-{number}-{what}.csv"
            written += max(0, _member(archive, name, _csv(slices)) - 1)
    return written


Read = Callable[[datetime, datetime], pa.Table]


def _readers(store: TelemetryStore, device: str) -> Mapping[str, Read]:
    """What there is of a device, by the name of its file: from when to when gives a table."""

    def readings(since: datetime, until: datetime) -> pa.Table:
        return store.window(device, since, until)

    def events(since: datetime, until: datetime) -> pa.Table:
        return store.events(since, until, devices=[device])

    def presence(since: datetime, until: datetime) -> pa.Table:
        return store.presence(since, until, devices=[device])

    def hours(since: datetime, until: datetime) -> pa.Table:
        return store.hourly(since, until, devices=[device])

    return {"readings": readings, "events": events, "presence": presence, "hours": hours}


def _begin(store: TelemetryStore, span: Ownership, first_seen: datetime | None, until: datetime) -> datetime:
    """From when on there can be data: an ownership may be told to have begun long before."""
    hours = store.exposure(span.from_at, until, devices=[span.device_id])["hour"]
    first: Any = min(hours.to_pylist(), default=None)
    known = [at for at in (first_seen, first) if at is not None]
    return max(span.from_at, min(known) - A_DAY) if known else span.from_at


def _slices(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        yield since, min(since + SLICE, until)
        since += SLICE


def _csv(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """Tables of the same columns as lines of one CSV file; the header comes first."""
    header = False
    for table in tables:
        if not header:
            yield _line(table.column_names)
            header = True
        for batch in table.to_batches(max_chunksize=10_000):
            columns = [column.to_pylist() for column in batch.columns]
            yield from (_line(row) for row in zip(*columns, strict=True))


def _line(cells: Iterable[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(
        cell.isoformat() if isinstance(cell, datetime) else _harmless(cell) for cell in cells
    )
    return text.getvalue().encode()


def _harmless(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula is marked as text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


_STYLE = (
    'body{font:1rem/1.5 system-ui,"Noto Sans CJK SC",sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}'
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc;overflow-wrap:anywhere}"
)


def _index(name: str, counts: Mapping[str, int], now: datetime) -> str:
    rows = "\n".join(
        f"<tr><td><code>{escape(file)}</code></td><td>{counts.get(file, 0)}</td><td>{english}</td><td lang=zh-Hans>{chinese}</td></tr>"
        for file, (english, chinese) in MEANS.items()
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Your data</title>
<style>{_STYLE}</style>
</head><body>
<h1>{escape(name)}: your data / <span lang="zh-Hans">您的数据</span></h1>
<p>Everything we hold about you, as of {now:%Y-%m-%d %H:%M} UTC. Each line of a .jsonl file is one entry; open it with any text editor.
Times are in UTC. Of each device there is what it reported while it was yours.</p>
<p lang="zh-Hans">截至 {now:%Y-%m-%d %H:%M}（UTC）我们持有的关于您的全部数据。
.jsonl 文件每行一条记录，可用任意文本编辑器打开。时间均为 UTC。
各设备仅包含您拥有期间上报的数据。</p>
<table><tr><th>File / 文件</th><th>Entries / 条数</th><th>What it is</th><th lang="zh-Hans">内容</th></tr>
{rows}
</table></body></html>
"""
