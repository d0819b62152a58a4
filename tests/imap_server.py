"""A small scripted IMAP server (RFC 3501): one folder, mails with flags, and faults on demand."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

USER, PASSWORD = "care", "secret word"


@dataclass
class ScriptedImap:
    """What the server holds and does. ``break_at``: the command at whose name the connection is cut, once."""

    mails: dict[int, bytes] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    break_at: str = ""
    said_sizes: dict[int, int] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"imap://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/INBOX"


class _Session(socketserver.StreamRequestHandler):
    script: ScriptedImap

    def handle(self) -> None:
        self._say("* OK ready")
        while line := self.rfile.readline():
            tag, _, rest = line.decode().strip().partition(" ")
            self.script.commands.append(rest)
            if self.script.break_at and self.script.break_at in rest:
                self.script.break_at = ""
                return
            if not self._answer(tag, rest):
                return

    def _answer(self, tag: str, rest: str) -> bool:
        name = rest.upper()
        if name.startswith("CAPABILITY"):
            self._say("* CAPABILITY IMAP4rev1")
        elif name.startswith("LOGIN"):
            if PASSWORD not in rest:
                self._say(f"{tag} NO wrong")
                return True
        elif name.startswith("SELECT"):
            self._say(f"* {len(self.script.mails)} EXISTS")
        elif name.startswith("UID SEARCH"):
            unseen = [str(uid) for uid in self.script.mails if uid not in self.script.seen]
            self._say("* SEARCH " + " ".join(unseen))
        elif name.startswith("UID FETCH"):
            self._fetch(rest)
        elif name.startswith("UID STORE"):
            self.script.seen.add(int(rest.split()[2]))
        elif name.startswith("LOGOUT"):
            self._say("* BYE")
            self._say(f"{tag} OK done")
            return False
        self._say(f"{tag} OK done")
        return True

    def _fetch(self, rest: str) -> None:
        uid = int(rest.split()[2])
        raw = self.script.mails[uid]
        if "RFC822.SIZE" in rest:
            self._say(f"* {uid} FETCH (UID {uid} RFC822.SIZE {self.script.said_sizes.get(uid, len(raw))})")
            return
        part = raw.split(b"\n\n", 1)[0] + b"\n\n" if "HEADER" in rest else raw
        most = int(re.findall(r"<0\.(\d+)>", rest)[0])
        part = part[:most]
        self.wfile.write(f"* {uid} FETCH (UID {uid} BODY[]<0> {{{len(part)}}}\r\n".encode() + part + b")\r\n")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@contextmanager
def imap_server(script: ScriptedImap) -> Iterator[ScriptedImap]:
    """The server on a free port of 127.0.0.1, ended with the block."""
    handler = type("Session", (_Session,), {"script": script})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        script.port = int(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
