"""An HTTP server of one file, with the faults that downloads meet."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """What is served, how badly, and what was asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.has_ranges = True
        self.breaks_after: list[int | None] = []  # bytes of each answer to come; None: all
        self.status = 200
        self.content_type = "application/octet-stream"
        self.names_length = True
        self.bytes_a_second = 0  # 0: as fast as it goes
        self.redirect: str | None = None
        self.ranges: list[str | None] = []  # of the requests so far
        self.url = ""

    @contextmanager
    def running(self) -> Iterator[FileServer]:
        """Serve on a free port of loopback."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients may hang up
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}/models/tiny.onnx"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(its: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            its.ranges.append(asked)
            if its.redirect and self.path.endswith("tiny.onnx"):
                self.send_response(302)
                self.send_header("Location", its.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start, status, size = 0, its.status, len(its.content)
            match = re.fullmatch(r"bytes=(\d+)-", asked or "")
            if match and its.has_ranges and status == 200:
                start, status = int(match[1]), 206
            if start >= size and status == 206:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = its.content[start:]
            self.send_response(status)
            self.send_header("Content-Type", its.content_type)
            if its.names_length:
                self.send_header("Content-Length", str(len(body)))
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.end_headers()
            most = its.breaks_after.pop(0) if its.breaks_after else None
            self.close_connection = True
            body = body[:most]
            step = its.bytes_a_second // 20 or max(len(body), 1)
            for k in range(0, len(body), step):
                self.wfile.write(body[k : k + step])
                time.sleep(0.05 if its.bytes_a_second else 0)

    return Handler
