"""A receiver of notifications that writes down what it takes, for tests that kill it: `python killed_sink.py PORT FILE`."""

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def main(port: str, file: str) -> None:
    """Take letters until killed; each is on the disk before it is answered."""
    kept = os.open(Path(file), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            time.sleep(0.01)
            os.write(kept, f"{self.headers.get('webhook-id')}\n".encode())
            time.sleep(0.01)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
