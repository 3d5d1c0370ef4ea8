"""Cloud Storage's XML API before an emulator that speaks the JSON API: only the words are translated.

obstore (as most clients that are not Google's) speaks XML. What is stored, and which precondition holds, is the
emulator's answer. `python -m tests.fakes.gcs_xml EMULATOR PORT` serves it, in a process of its own: obstore waits for it
while it holds the interpreter.
"""

from __future__ import annotations

import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit
from xml.sax.saxutils import escape

import urllib3


def _handler(emulator: str, pool: urllib3.PoolManager) -> type[BaseHTTPRequestHandler]:
    parts: dict[str, dict[int, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet, or the client's system waits 40 ms for the second

        def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _ask(
            self, method: str, path: str, body: bytes | None = None, headers: Any = None
        ) -> urllib3.BaseHTTPResponse:
            return pool.request(method, f"{emulator}{path}", body=body, headers=headers or {}, retries=False)

        def _insert(self, bucket: str, key: str, body: bytes) -> None:
            query = {"uploadType": "multipart", "name": key}  # the emulator asks for preconditions in this form alone
            if match := self.headers.get("x-goog-if-generation-match"):
                query["ifGenerationMatch"] = match
            edge = uuid.uuid4().hex
            related = f"--{edge}\r\nContent-Type: application/json\r\n\r\n{json.dumps({'name': key})}\r\n--{edge}\r\n"
            whole = (
                f"{related}Content-Type: application/octet-stream\r\n\r\n".encode()
                + body
                + f"\r\n--{edge}--\r\n".encode()
            )
            answer = self._ask("POST", f"/upload/storage/v1/b/{bucket}/o?{urlencode(query)}", whole,
                               {"Content-Type": f"multipart/related; boundary={edge}"})  # fmt: skip
            self._send(answer.status, b"" if answer.status < 300 else answer.data, _facts(answer))

        def _run(self) -> None:
            url = urlsplit(self.path)
            bucket, _, key = (unquote(part) for part in url.path.lstrip("/").partition("/"))
            query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            item = f"/storage/v1/b/{bucket}/o/{quote(key, safe='')}"
            upload = query.get("uploadId", "")
            if self.command == "GET" and not key:
                self._list(bucket, query)
            elif self.command == "POST" and "uploads" in query:
                parts[made := uuid.uuid4().hex] = {}
                self._send(
                    200,
                    _xml(
                        "InitiateMultipartUploadResult",
                        f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{made}</UploadId>",
                    ),
                )
            elif self.command == "PUT" and upload:
                parts[upload][int(query["partNumber"])] = body
                self._send(200, headers={"ETag": f'"{query["partNumber"]}"'})
            elif self.command == "POST" and upload:
                whole = b"".join(content for _, content in sorted(parts.pop(upload).items()))
                query_string = urlencode({"uploadType": "media", "name": key})
                answer = self._ask("POST", f"/upload/storage/v1/b/{bucket}/o?{query_string}", whole)
                self._send(
                    answer.status,
                    _xml("CompleteMultipartUploadResult", f"<ETag>{_etag(answer)}</ETag>"),
                    _facts(answer),
                )
            elif self.command == "DELETE" and upload:
                parts.pop(upload, None)
                self._send(204)
            elif self.command == "PUT" and (source := self.headers.get("x-goog-copy-source")):
                of, _, name = unquote(source).lstrip("/").partition("/")
                answer = self._ask(
                    "POST", f"/storage/v1/b/{of}/o/{quote(name, safe='')}/rewriteTo/b/{bucket}/o/{quote(key, safe='')}"
                )
                self._send(answer.status, _xml("CopyObjectResult", "<ETag>copied</ETag>"), {"ETag": "copied"})
            elif self.command == "PUT":
                self._insert(bucket, key, body)
            elif self.command == "DELETE":
                answer = self._ask("DELETE", item)
                self._send(204 if answer.status == 200 else answer.status)
            else:
                known = self._ask("GET", item)
                if known.status != 200:
                    self._send(known.status, known.data)
                    return
                given = {name: self.headers[name] for name in ("Range",) if name in self.headers}
                answer = self._ask("GET", f"{item}?alt=media", headers=given)
                extra = {name: answer.headers[name] for name in ("Content-Range",) if name in answer.headers}
                self._send(answer.status, answer.data, {**_facts(known), **extra})

        def _list(self, bucket: str, query: dict[str, str]) -> None:
            wanted = {
                "prefix": query.get("prefix", ""),
                "delimiter": query.get("delimiter", ""),
                "pageToken": query.get("continuation-token", ""),
            }
            answer = self._ask("GET", f"/storage/v1/b/{bucket}/o?{urlencode({k: v for k, v in wanted.items() if v})}")
            if answer.status != 200:
                self._send(answer.status, answer.data)
                return
            found = json.loads(answer.data)
            inner = "".join(
                f"<Contents><Key>{escape(item['name'])}</Key><LastModified>{item['updated']}</LastModified><ETag>{item['etag']}</ETag><Size>{item['size']}</Size></Contents>"
                for item in found.get("items", [])
            ) + "".join(f"<CommonPrefixes><Prefix>{escape(prefix)}</Prefix></CommonPrefixes>" for prefix in found.get("prefixes", []))  # fmt: skip
            if token := found.get("nextPageToken"):
                inner += f"<NextContinuationToken>{token}</NextContinuationToken>"
            self._send(200, _xml("ListBucketResult", inner))

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _run  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    return Handler


def _xml(root: str, inner: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><{root}>{inner}</{root}>'.encode()


def _etag(answer: urllib3.BaseHTTPResponse) -> str:
    return str(json.loads(answer.data).get("etag", ""))


def _facts(answer: urllib3.BaseHTTPResponse) -> dict[str, str]:
    """Headers that tell what is stored."""
    if answer.status >= 300:
        return {}
    from datetime import datetime
    from email.utils import format_datetime

    known = json.loads(answer.data)
    changed = datetime.fromisoformat(known["updated"]) if "updated" in known else None
    made = {"ETag": known.get("etag", ""), "x-goog-generation": str(known.get("generation", ""))}
    if changed:
        made["Last-Modified"] = format_datetime(changed.replace(microsecond=0), usegmt=changed.utcoffset() is not None)
    return made


if __name__ == "__main__":
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(
        ("127.0.0.1", int(sys.argv[2])), _handler(sys.argv[1], urllib3.PoolManager(maxsize=32))
    ).serve_forever()
