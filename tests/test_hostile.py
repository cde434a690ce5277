"""The fixed corpus of hostile input: each piece has its status, costs at most a second and 64 MiB, and is never told back at length.

`-00:00` is accepted: RFC 3339 (4.3) has it say that the instant is known in UTC and the local offset is not, and the instant is all that
is asked for. `-0.0` is accepted as 0. Both stand here so that a change is a choice.
"""

from __future__ import annotations

import functools
import gzip
import json
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.wire import batch, check_problem, forget_peak, get, memory_mib, post, request, speak, strings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.running import RunningService
    from tests.wire import Answer

MOST_SECONDS = 1.0
MOST_MIB = 64.0
TRIES = 3
LONGEST_ECHO = 200
BOMB_BYTES = 200 * 1024 * 1024
INSIDE = re.compile(r'Traceback|\.py\b|site-packages|line \d+, in |File "|/(?:home|usr|tmp|root)/|0x[0-9a-f]{6,}')
SERIES = "/v1/intensity?location=FR"
JOBS = "/v1/emissions"
GET_HEALTH = b"GET /healthz HTTP/1.1\r\n"


@dataclass(frozen=True, slots=True)
class Case:
    """One piece of hostile input: what is sent, and the status and code that answer it."""

    name: str
    sent: Callable[[], bytes]
    status: int
    code: str | None = None
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def job(kwh: str = "1", *, start: str = '"2022-03-11T00:00:00Z"', location: str = '"FR"', step: str = "PT1H") -> bytes:
    return f'{{"location":{location},"energy":{{"start":{start},"step":"{step}","kwh":[{kwh}]}}}}'.encode()


def flat(start: str, end: str) -> bytes:
    return json.dumps({"location": "FR", "energy": {"start": start, "end": end, "total_kwh": 1}}).encode()


def intervals(*spans: tuple[str, str]) -> bytes:
    energy = {"intervals": [{"start": f"2022-03-11T{start}Z", "end": f"2022-03-11T{end}Z", "kwh": 1} for start, end in spans]}
    return json.dumps({"location": "FR", "energy": energy}).encode()


def body(name: str, content: bytes | Callable[[], bytes], status: int, code: str | None = None, **headers: str) -> Case:
    """A case whose hostility lies in the body of a job."""
    sent = content if callable(content) else functools.partial(bytes, content)
    kind = {"Content-Type": "application/json"} | {key.replace("_", "-"): text for key, text in headers.items()}
    return Case(name, lambda: request("POST", JOBS, sent(), kind), status, code)


def raw(name: str, sent: bytes, status: int, code: str | None = None, method: str = "GET") -> Case:
    return Case(name, lambda: sent, status, code, method)


def path(name: str, target: str, status: int, code: str | None = None) -> Case:
    return Case(name, lambda: request("GET", target), status, code, "GET")


def bomb(wbits: int) -> bytes:
    packer = zlib.compressobj(9, wbits=wbits)
    zeros = bytes(1024 * 1024)
    pieces = [packer.compress(zeros) for _ in range(BOMB_BYTES // len(zeros))]
    return b"".join(pieces) + packer.flush()


def short_intervals(count: int) -> bytes:
    """Intervals of one second each, the last first."""
    spans = [f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}" for second in range(count + 1)]
    return intervals(*reversed([(spans[index], spans[index + 1]) for index in range(count)]))


NUMBERS = [
    body("NaN", job("NaN"), 400, "invalid-body"),
    body("Infinity", job("Infinity"), 400, "invalid-body"),
    body("minus Infinity", job("-Infinity"), 400, "invalid-body"),
    body("1e400", job("1e400"), 400, "invalid-body"),
    body("an integer of 5,000 digits", job("9" * 5_000), 400, "invalid-body"),
    body("an integer of 300 digits", job("9" * 300), 422, "invalid-input"),
    body("minus zero", job("-0.0"), 200),
    body("less than the least double", job("1e-400"), 200),
    body("minus one kWh", job("-1"), 422, "invalid-input"),
    body("1e308", job("1e308"), 422, "invalid-input"),
    body("a number as a string", job('"5"'), 422, "invalid-input"),
    body("true for a number", job("true"), 422, "invalid-input"),
    body("null for a number", job("null"), 422, "invalid-input"),
    body("a list for a number", job("[1]"), 422, "invalid-input"),
    body("an object for a number", job('{"kwh":1}'), 422, "invalid-input"),
    body("a hexadecimal number", job("0x10"), 400, "invalid-body"),
    body("a leading zero", job("01"), 400, "invalid-body"),
    body("no numbers at all", job(""), 422, "invalid-input"),
    body("a PUE below one", b'{"location":"FR","pue":0.99,"energy":{"start":"2022-03-11T00:00:00Z","step":"PT1H","kwh":[1]}}', 422),
]
SHAPES = [
    body("depth of 100,000 lists", b"[" * 100_000 + b"]" * 100_000, 400, "invalid-body"),
    body("depth of 100,000 objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "invalid-body"),
    body("depth of 1,000 objects with an escaped key", b'{"\\u0061":' * 1_000 + b"1" + b"}" * 1_000, 400, "invalid-body"),
    body("a list never closed", b"[" * 100_000, 400, "invalid-body"),
    body("a repeated key", b'{"location":"FR","location":"DE","energy":{}}', 400, "invalid-body"),
    body("a repeated key, escaped", b'{"location":"FR","loc\\u0061tion":"DE","energy":{}}', 400, "invalid-body"),
    body("a repeated key deep inside", job('{"a":1,"a":2}'), 400, "invalid-body"),
    body("a lone surrogate", job(location='"\\ud800"'), 400, "invalid-body"),
    body("a lone surrogate in a key", b'{"\\udfff":1}', 400, "invalid-body"),
    body("an encoded surrogate", b'{"location":"\xed\xa0\x80"}', 400, "invalid-body"),
    body("an overlong encoding", b'{"location":"\xc0\xaf"}', 400, "invalid-body"),
    body("a byte order mark", b"\xef\xbb\xbf" + job(), 400, "invalid-body"),
    body("UTF-16", job().decode().encode("utf-16"), 400, "invalid-body"),
    body("UTF-32 and said so", job().decode().encode("utf-32"), 400, "invalid-body", Content_Type="application/json; charset=utf-32"),
    body("NUL", b"\0" * 1_000, 400, "invalid-body"),
    body("nothing", b"", 400, "invalid-body"),
    body("two documents", job() + job(), 400, "invalid-body"),
    body("a comment", job() + b"// x", 400, "invalid-body"),
    body("null", b"null", 422, "invalid-input"),
    body("a list", b"[]", 422, "invalid-input"),
    body("no energy", b'{"location":"FR"}', 422, "invalid-input"),
    body("two forms of energy", b'{"location":"FR","energy":{"kwh":[1],"total_kwh":1}}', 422, "invalid-input"),
    body("__proto__", job().replace(b'"location"', b'"__proto__":{},"location"'), 422, "invalid-input"),
]
SIZES = [
    body("a million points", lambda: job(",".join(["1.5"] * 1_000_000), step="PT1S"), 413, "body-too-large"),
    body("a million invalid points", lambda: job(",".join(['"x"'] * 1_000_000), step="PT1S"), 413, "body-too-large"),
    body("700,000 points of three bytes", lambda: job(",".join(["-1"] * 690_000), step="PT1S"), 422, "invalid-input"),
    body("100,000 points", lambda: job(",".join(["1.5"] * 100_000), step="PT1S"), 200),
    body("100,000 points of 17 digits", lambda: job(",".join(["0.12345678901234567"] * 100_000), step="PT5M"), 200),
    body("100,001 points", lambda: job(",".join(["1.5"] * 100_001), step="PT1S"), 422, "invalid-input"),
    body("100,000 invalid points", lambda: job(",".join(['"x"'] * 100_000), step="PT1S"), 422, "invalid-input"),
    body("100,000 invalid points of all kinds", lambda: job(",".join(["null,true,[],{},-1"] * 20_000), step="PT1S"), 422, "invalid-input"),
    body("20,000 intervals, unsorted", lambda: short_intervals(20_000), 200),
    body(
        "60,000 intervals without a time",
        lambda: b'{"location":"FR","energy":{"intervals":[' + b",".join([b'{"start":"","end":"","kwh":1}'] * 60_000) + b"]}}",
        422,
        "invalid-input",
    ),
    body(
        "90,000 empty intervals",
        lambda: b'{"location":"FR","energy":{"intervals":[' + b",".join([b"{}"] * 90_000) + b"]}}",
        422,
        "invalid-input",
    ),
    body(
        "256 intervals of 800 unknown fields each",
        lambda: (
            b'{"location":"FR","energy":{"intervals":['
            + b",".join([b"{%b}" % b",".join(b'"%d":1' % number for number in range(800))] * 256)
            + b"]}}"
        ),
        422,
        "invalid-input",
    ),
    body(
        "30,000 intervals of 10 unknown fields each",
        lambda: (
            b'{"location":"FR","energy":{"intervals":['
            + b",".join([b"{%b}" % b",".join(b'"%d":1' % number for number in range(10))] * 30_000)
            + b"]}}"
        ),
        422,
        "invalid-input",
    ),
    body("200,000 unknown fields", lambda: b"{%b}" % b",".join(b'"%d":1' % number for number in range(200_000)), 422, "invalid-input"),
    body(
        "150,000 unknown fields, one escaped",
        lambda: b'{"\\u0061":1,%b}' % b",".join(b'"%d":1' % number for number in range(150_000)),
        422,
        "invalid-input",
    ),
    body("100,000 keys, each twice", lambda: b"{%b}" % b",".join(b'"%d":1' % (number // 2) for number in range(150_000)), 400),
    body("700,000 empty lists", lambda: b'{"energy":[%b]}' % b",".join([b"[]"] * 690_000), 400, "invalid-body"),
    body("400,000 nested objects", lambda: b'{"energy":[%b]}' % b",".join([b'{"":{"":{"":{"":1}}}}'] * 90_000), 400, "invalid-body"),
    body("a field name of a million letters", lambda: b'{"%b":1}' % (b"x" * 1_000_000), 422, "invalid-input"),
    body("a time of a million digits", lambda: job(start=f'"2022-01-01T00:00:00.{"0" * 1_000_000}"'), 422, "invalid-input"),
    body("a step of a million digits", lambda: job(step=f"PT{'9' * 1_000_000}H"), 422, "invalid-input"),
    body("a million blanks", lambda: b" " * 1_000_000 + job(), 200),
]
TIMES = [
    *(
        body(f"the time {text[:40]!r}", job(start=json.dumps(text)), status, None if status == 200 else "invalid-input")
        for text, status in (
            ("0001-01-01T00:00:00+14:00", 422),
            ("0001-01-01T00:00:00Z", 422),
            ("0000-01-01T00:00:00Z", 422),
            ("1969-12-31T23:59:59Z", 422),
            ("1999-12-31T23:59:59.999999Z", 422),
            ("2000-01-01T00:00:00Z", 200),
            ("2000-01-01T00:00:00+00:01", 422),
            ("9999-12-31T23:59:59Z", 422),
            ("9999-12-31T23:59:59-14:00", 422),
            ("2016-12-31T23:59:60Z", 422),
            ("2022-01-01T00:00:60Z", 422),
            ("2022-01-01T24:00:00Z", 422),
            ("2022-02-29T00:00:00Z", 422),
            ("2022-13-01T00:00:00Z", 422),
            ("2022-01-01T00:00:00+25:00", 422),
            ("2022-01-01T00:00:00+14:01", 422),
            ("2022-01-01T00:00:00+13:60", 422),
            ("2022-01-01T00:00:00+1", 422),
            ("2022-01-01T00:00:00", 422),
            ("2022-01-01", 422),
            ("2022-01-01T00:00:00-00:00", 200),
            ("2022-01-01T00:00:00+00:00", 200),
            ("2022-01-01t00:00:00z", 200),
            ("2022-01-01T00:00:00.123456789Z", 200),
            ("2022-01-01T00:00:00,5Z", 422),
            ("2022-01-01 00:00:00Z", 422),
            ("2022-01-01T00:00:00Z\n", 422),
            (" 2022-01-01T00:00:00Z", 422),
            ("2022-W01-1T00:00:00Z", 422),
            ("20220101T000000Z", 422),
            ("٢٠٢٢-01-01T00:00:00Z", 422),
            ("2022-01-01T00:00:00\u202eZ", 422),
            ("1641031200", 422),
            ("1641031200000", 422),
            ("now", 422),
            ("", 422),
        )
    ),
    body("epoch seconds", job(start="1641031200"), 422, "invalid-input"),
    body("epoch milliseconds", job(start="1641031200000"), 422, "invalid-input"),
    body("a list as a time", job(start="[2022,1,1]"), 422, "invalid-input"),
    body("end = start", flat("2022-01-01T00:00:00Z", "2022-01-01T00:00:00Z"), 422, "invalid-input"),
    body("end before start", flat("2022-01-01T00:00:00Z", "2021-01-01T00:00:00Z"), 422, "invalid-input"),
    body("a span of 367 days", flat("2022-01-01T00:00:00Z", "2023-01-03T00:00:00Z"), 422, "invalid-input"),
    body("a span of 366 days", flat("2022-01-01T00:00:00Z", "2023-01-02T00:00:00Z"), 200),
    body("the span 1678 to 2262", flat("1678-01-01T00:00:00Z", "2262-01-01T00:00:00Z"), 422, "invalid-input"),
    body("the span 2000 to 2026", flat("2000-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), 422, "invalid-input"),
    body("steps that run past the end of time", job(",".join(["1"] * 100), step="P366D"), 422, "invalid-input"),
    body("a step of no time", job(step="PT0S"), 422, "invalid-input"),
    body("a step of a month", job(step="P1M"), 422, "invalid-input"),
    body("a step backwards", job(step="-PT1H"), 422, "invalid-input"),
    body("intervals that overlap", intervals(("00:00:00", "02:00:00"), ("01:00:00", "03:00:00")), 422, "invalid-input"),
    body("one interval twice", intervals(("00:00:00", "02:00:00"), ("00:00:00", "02:00:00")), 422, "invalid-input"),
    body("an interval of no length", intervals(("00:00:00", "01:00:00"), ("02:00:00", "02:00:00")), 422, "invalid-input"),
    body("an interval backwards", intervals(("02:00:00", "01:00:00")), 422, "invalid-input"),
    body("intervals that touch", intervals(("01:00:00", "02:00:00"), ("00:00:00", "01:00:00")), 200),
    path(
        "a series from 1678 to 2262", "/v1/intensity?location=FR&start=1678-01-01T00:00:00Z&end=2262-01-01T00:00:00Z", 422, "invalid-input"
    ),
    path("a series backwards", "/v1/intensity?location=FR&start=2023-01-01T00:00:00Z&end=2022-01-01T00:00:00Z", 422, "invalid-input"),
    path("a plus that became a blank", "/v1/intensity?location=FR&start=2023-01-01T00:00:00+01:00&end=2023-01-02T00:00:00Z", 422),
]
PACKED = gzip.compress(job())
ENCODINGS = [
    body("gzip", PACKED, 200, Content_Encoding="gzip"),
    body("gzip in two members", gzip.compress(job()[:20]) + gzip.compress(job()[20:]), 200, Content_Encoding="gzip"),
    body("gzip in 5,000 members", gzip.compress(b" ") * 5_000 + PACKED, 400, "invalid-body", Content_Encoding="gzip"),
    body("deflate", zlib.compress(job()), 200, Content_Encoding="deflate"),
    body("deflate without its header", zlib.compress(job(), wbits=-15), 200, Content_Encoding="deflate"),
    body("a gzip bomb", lambda: bomb(31), 413, "body-too-large", Content_Encoding="gzip"),
    body("a deflate bomb", lambda: bomb(15), 413, "body-too-large", Content_Encoding="deflate"),
    body("a gzip bomb in a gzip", lambda: gzip.compress(bomb(31)), 400, "invalid-body", Content_Encoding="gzip"),
    body("a gzip in a gzip", gzip.compress(PACKED), 400, "invalid-body", Content_Encoding="gzip"),
    body("a gzip in a gzip, and said so", gzip.compress(PACKED), 415, "unsupported-media-type", Content_Encoding="gzip, gzip"),
    body("a gzip cut in its trailer", PACKED[:-4], 400, "invalid-body", Content_Encoding="gzip"),
    body("a gzip cut in its middle", PACKED[:30], 400, "invalid-body", Content_Encoding="gzip"),
    body("a deflate cut short", zlib.compress(job())[:-2], 400, "invalid-body", Content_Encoding="deflate"),
    body("a gzip with a wrong checksum", PACKED[:-8] + b"1234" + PACKED[-4:], 400, "invalid-body", Content_Encoding="gzip"),
    body("a gzip and then rubbish", PACKED + b"rubbish", 400, "invalid-body", Content_Encoding="gzip"),
    body("a deflate and then rubbish", zlib.compress(job()) + b"rubbish", 400, "invalid-body", Content_Encoding="deflate"),
    body("rubbish for a gzip", b"rubbish" * 1_000, 400, "invalid-body", Content_Encoding="gzip"),
    body("rubbish for a deflate", b"\x78rubbish", 400, "invalid-body", Content_Encoding="deflate"),
    body("nothing for a gzip", b"", 400, "invalid-body", Content_Encoding="gzip"),
    *(
        body(f"the encoding {name!r}", job(), 415, "unsupported-media-type", Content_Encoding=name)
        for name in ("br", "zstd", "compress", "x-gzip", "gzip;q=1", "rubbish" * 100)
    ),
    raw("no Content-Type", request("POST", JOBS, job()), 415, "unsupported-media-type", "POST"),
    *(
        body(f"the type {kind!r}", job(), 415, "unsupported-media-type", Content_Type=kind)
        for kind in ("text/plain", "application/xml", "multipart/form-data; boundary=x", ";;;", "application/x-ndjson", "x" * 5_000)
    ),
]
LOCATIONS = [
    "x" * 10_000,
    "x" * 200,
    "../",
    "../../etc/passwd",
    "FR\0",
    "\0",
    "\u202eFR",
    "FR\u200b",
    "\ufeffFR",
    "FR ",
    "ＦＲ",  # noqa: RUF001 - letters that only look like FR
    "FRаnce",  # noqa: RUF001 - as above
    "ꓝR",  # noqa: RUF001 - as above
    "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:127.0.0.1]/",
    "file:///etc/passwd",
    "2130706433",
    "geo:http://127.0.0.1",
    "geo:1e400,1",
    "geo:nan,nan",
    "geo:inf,0",
    "geo:91,0",
    "geo:0,0",
    "geo:",
    "aws:",
    "aws:eu-west-3/../..",
    "nem:../NSW1",
    "{{7*7}}",
    "${jndi:ldap://127.0.0.1/x}",
    "' OR 1=1 --",
    "%00",
    "😀" * 50,
]
PATHS = [
    path("a path beside the root", "/x", 404, "not-found"),
    path("an unknown route", "/v2/emissions", 404, "not-found"),
    path("out of the site's folder", "/docs/../x", 404, "not-found"),
    path("out of the site's folder, encoded", "/docs/..%2f..%2fetc%2fpasswd", 404, "not-found"),
    path("out of the site's folder, twice encoded", "/docs/%252e%252e%252fx", 404, "not-found"),
    path("a file that is there and no part of the site", "/docs/manifest.json", 404, "not-found"),
    path("a slash too many", "/v1/zones/", 404, "not-found"),
    path("two slashes", "//v1//zones", 404, "not-found"),
    path("NUL in the path", "/docs/index.html%00", 404, "not-found"),
    path("no UTF-8 in the path", "/v1/zones/%ff", 404, "unknown-location"),
    path("no UTF-8 in the query", "/v1/locate?location=%ff", 404, "unknown-location"),
    path("an unknown problem", f"/problems/{'x' * 1_000}", 404, "not-found"),
    path("another host's address", "http://169.254.169.254/latest", 404, "not-found"),
    path("an unknown parameter", "/healthz?x=1", 422, "invalid-input"),
    path("a parameter without a name", "/healthz?=", 422, "invalid-input"),
    path("a repeated parameter", "/v1/locate?location=FR&location=FR", 422, "invalid-input"),
    path("900 unknown parameters", "/v1/locate?" + "&".join(f"a{number}=1" for number in range(900)), 422, "invalid-input"),
    path("an unknown format", f"{SERIES}&start=2022-01-01T00:00:00Z&end=2022-01-02T00:00:00Z&format=xml", 422),
    path("a parameter in a body's place", "/v1/locate", 422, "invalid-input"),
]
WIRE = [
    raw("a URL of 9 kB", request("GET", "/" + "a" * 9_000), 400, "bad-request"),
    raw("a URL of 1 MB", request("GET", "/" + "a" * 1_000_000), 400, "bad-request"),
    raw("a header of 9 kB", request("GET", "/healthz", headers={"X": "a" * 9_000}), 400, "bad-request"),
    raw("500 headers", request("GET", "/healthz", headers={f"X{number}": "a" for number in range(500)}), 400, "bad-request"),
    raw("no Host", GET_HEALTH + b"\r\n", 400, "bad-request"),
    raw("two Hosts", GET_HEALTH + b"Host: a\r\nHost: b\r\n\r\n", 400, "bad-request"),
    raw("a length and chunks", request("POST", JOBS, b"0\r\n\r\n", {"Transfer-Encoding": "chunked"}), 400, "bad-request", "POST"),
    raw("a negative length", request("POST", JOBS, headers={"Content-Length": "-5"}), 400, "bad-request", "POST"),
    raw("a length that is no number", request("POST", JOBS, headers={"Content-Length": "0x5"}), 400, "bad-request", "POST"),
    raw("a chunk that is none", request("POST", JOBS, headers={"Transfer-Encoding": "chunked"}) + b"ZZ\r\n", 400, "bad-request"),
    raw("NUL in a header", GET_HEALTH + b"Host: a\r\nX: a\0b\r\n\r\n", 400, "bad-request"),
    raw("a header without a colon", GET_HEALTH + b"Host: a\r\nrubbish\r\n\r\n", 400, "bad-request"),
    raw("a folded header", GET_HEALTH + b"Host: a\r\nX: a\r\n b\r\n\r\n", 400, "bad-request"),
    raw("HTTP/0.9", b"GET /x\r\n\r\n", 404, "not-found"),
    raw("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad-request"),
    raw("rubbish", b"\xff\x00\x01 rubbish\r\n\r\n", 400, "bad-request"),
    raw("the beginning of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2, 400, "bad-request"),
    raw("an unknown method", b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad-request"),
    raw("Expect: 200-maybe", request("GET", "/healthz", headers={"Expect": "200-maybe"}), 417, "expectation-failed"),
    raw("Expect: 200-maybe on a job", request("POST", JOBS, job(), {"Expect": "200-maybe"}), 417, "expectation-failed"),
    raw("Expect: 200-maybe at no route", request("GET", "/nowhere", headers={"Expect": "x" * 5_000}), 417, "expectation-failed"),
    raw("PUT", request("PUT", "/v1/zones", b"{}"), 405, "method-not-allowed"),
    raw("DELETE", request("DELETE", "/v1/zones"), 405, "method-not-allowed"),
    raw("TRACE", request("TRACE", "/healthz"), 405, "method-not-allowed"),
    raw("OPTIONS", request("OPTIONS", "/v1/zones"), 405, "method-not-allowed"),
    raw("GET on a job", request("GET", "/v1/emissions"), 405, "method-not-allowed"),
    raw("CONNECT", request("CONNECT", "169.254.169.254:80"), 404),
    raw("Upgrade to a WebSocket", request("GET", "/healthz", headers={"Connection": "Upgrade", "Upgrade": "websocket"}), 200),
    raw("a cookie of rubbish", request("GET", "/healthz", headers={"Cookie": "\x80=\x81; $$=;;;=" + "a=b;" * 1_000}), 200),
    raw("a Range", request("GET", "/healthz", headers={"Range": "bytes=0-1,5-"}), 200),
    raw("If-Modified-Since: rubbish", request("GET", "/v1/zones", headers={"If-Modified-Since": "rubbish"}), 200),
    raw("If-None-Match: rubbish", request("GET", "/v1/zones", headers={"If-None-Match": '\x80,,,"' + "x" * 5_000}), 200),
    raw("Accept: rubbish", request("GET", "/v1/zones", headers={"Accept": ",;q=;;q=nan,*/" * 500}), 200),
]
CORPUS = [*NUMBERS, *SHAPES, *SIZES, *TIMES, *ENCODINGS, *PATHS, *WIRE]


@pytest.mark.parametrize("case", CORPUS, ids=str)
def test_hostile_input_is_answered_with_its_status_in_time_and_in_bounds(service: RunningService, case: Case) -> None:
    check(service, case)


@pytest.mark.parametrize("location", LOCATIONS, ids=lambda location: ascii(location[:30]))
def test_a_hostile_location_names_no_place_on_any_operation(service: RunningService, location: str) -> None:
    encoded = quote(location, safe="")
    too_long = len(location) > 200
    check(service, body("in a job", job(location=json.dumps(location)), 422 if too_long else 404))
    if len(encoded) < 8_000:
        check(service, path("in a query", f"/v1/locate?location={encoded}", 422 if too_long else 404))
        check(service, path("in a path", f"/v1/zones/{encoded}", 404))


def check(service: RunningService, case: Case) -> None:
    """Send it; look at status, problem, what is told, time and memory. Time is the least of three, since others use the machine too."""
    sent = case.sent()
    answer = send(service, sent, case)
    tries = 1
    while answer.seconds > MOST_SECONDS and tries < TRIES:
        answer = send(service, sent, case)
        tries += 1
    assert answer.seconds <= MOST_SECONDS
    if case.status >= 400:
        problem = check_problem(answer, case.status, case.code)
        assert get(service, problem["type"]).json["code"] == problem["error"]
        told = strings(problem)
        assert not [text for text in told if INSIDE.search(text) and not INSIDE.search(sent.decode("utf-8", "replace"))]
        assert not [text for text in told if len(text) > LONGEST_ECHO and echoes(text.encode(), sent)]
        assert len(answer.body) < 64 * 1024
    else:
        assert b"-0.0" not in answer.body
        assert b"null" not in answer.body


def send(service: RunningService, sent: bytes, case: Case) -> Answer:
    forget_peak(service)
    before = memory_mib(service)
    answer = speak(service, sent, case.method)
    assert answer.status == case.status, answer.body[:500]
    assert memory_mib(service, "VmHWM") - before <= MOST_MIB
    return answer


def echoes(told: bytes, sent: bytes) -> bool:
    """Whether more than LONGEST_ECHO bytes in a row were sent and told back."""
    half = LONGEST_ECHO // 2
    likely = (place for place in range(0, len(told) - half, half) if told[place : place + half] in sent)
    return any(
        told[start : start + LONGEST_ECHO + 1] in sent
        for place in likely
        for start in range(max(0, place - half), place + 1)
        if start + LONGEST_ECHO < len(told)
    )


def test_unsorted_intervals_are_the_same_job_as_sorted_ones(service: RunningService) -> None:
    spans = [("00:10:00", "01:00:00"), ("01:00:00", "01:30:00"), ("05:00:00", "07:15:00")]

    assert post(service, intervals(*reversed(spans))).json == post(service, intervals(*spans)).json


@pytest.mark.parametrize(
    ("name", "lines"),
    [("one endless line", lambda: bomb(31)), ("blank lines", lambda: gzip.compress(b"\n" * BOMB_BYTES, 6))],
    ids=["one endless line", "blank lines"],
)
def test_a_bomb_for_a_batch_is_answered_in_its_place_and_soon(service: RunningService, name: str, lines: Callable[[], bytes]) -> None:
    del name
    packed = lines()
    forget_peak(service)
    before = memory_mib(service)

    answer = batch(service, packed, {"Content-Encoding": "gzip"})

    assert answer.status == 200
    assert [problem["error"] for problem in answer.lines] == ["body-too-large"]
    assert answer.seconds <= MOST_SECONDS
    assert memory_mib(service, "VmHWM") - before <= MOST_MIB


# Worked out by hand from the laws that hold there: the last second before the gap, the first after it, and the hour that comes twice.
CLOCK_CHANGES = {
    "Paris": [
        ("2024-03-31T01:59:59+01:00", "2024-03-31T00:59:59Z"),
        ("2024-03-31T03:00:00+02:00", "2024-03-31T01:00:00Z"),
        ("2024-10-27T02:30:00+02:00", "2024-10-27T00:30:00Z"),
        ("2024-10-27T02:30:00+01:00", "2024-10-27T01:30:00Z"),
    ],
    "New York": [
        ("2024-03-10T01:59:59-05:00", "2024-03-10T06:59:59Z"),
        ("2024-03-10T03:00:00-04:00", "2024-03-10T07:00:00Z"),
        ("2024-11-03T01:30:00-04:00", "2024-11-03T05:30:00Z"),
        ("2024-11-03T01:30:00-05:00", "2024-11-03T06:30:00Z"),
    ],
    "Lord Howe": [  # by half an hour
        ("2024-10-06T01:59:59+10:30", "2024-10-05T15:29:59Z"),
        ("2024-10-06T02:30:00+11:00", "2024-10-05T15:30:00Z"),
        ("2024-04-07T01:45:00+11:00", "2024-04-06T14:45:00Z"),
        ("2024-04-07T01:45:00+10:30", "2024-04-06T15:15:00Z"),
    ],
    "Adelaide": [
        ("2024-10-06T01:59:59+09:30", "2024-10-05T16:29:59Z"),
        ("2024-10-06T03:00:00+10:30", "2024-10-05T16:30:00Z"),
        ("2024-04-07T02:30:00+10:30", "2024-04-06T16:00:00Z"),
        ("2024-04-07T02:30:00+09:30", "2024-04-06T17:00:00Z"),
    ],
    "Shanghai": [("2024-03-31T02:30:00+08:00", "2024-03-30T18:30:00Z")],  # no changes since 1991
}


@pytest.mark.parametrize(("local", "utc"), [pair for pairs in CLOCK_CHANGES.values() for pair in pairs])
def test_an_instant_at_a_change_of_clocks_falls_into_its_utc_hour(service: RunningService, local: str, utc: str) -> None:
    members = {"location": "FR", "include": ["hours"], "energy": {"step": "PT30M", "kwh": [1]}}
    answers = [post(service, members | {"energy": members["energy"] | {"start": start}}).json for start in (local, utc)]  # type: ignore[operator]  # an object

    assert answers[0] == answers[1]
    assert answers[0]["start"] == utc
    assert answers[0]["hours"][0]["start"] == f"{utc[:13]}:00:00Z"


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00", 23),  # Paris
        ("2024-10-27T00:00:00+02:00", "2024-10-28T00:00:00+01:00", 25),
        ("2024-03-10T00:00:00-05:00", "2024-03-11T00:00:00-04:00", 23),  # New York
        ("2024-11-03T00:00:00-04:00", "2024-11-04T00:00:00-05:00", 25),
        ("2024-10-06T00:00:00+10:30", "2024-10-07T00:00:00+11:00", 23.5),  # Lord Howe
        ("2024-04-07T00:00:00+11:00", "2024-04-08T00:00:00+10:30", 24.5),
        ("2024-10-06T00:00:00+09:30", "2024-10-07T00:00:00+10:30", 23),  # Adelaide
        ("2024-04-07T00:00:00+10:30", "2024-04-08T00:00:00+09:30", 25),
    ],
)
def test_a_local_day_of_23_or_25_hours_is_so_long(service: RunningService, start: str, end: str, hours: float) -> None:
    energy = {"start": start, "end": end, "total_kwh": hours}

    answer = post(service, {"location": "FR", "include": ["hours"], "energy": energy}).json

    assert sum(hour["kwh"] for hour in answer["hours"]) == pytest.approx(hours)
    assert all(hour["kwh"] == pytest.approx(1) for hour in answer["hours"][1:-1])


def test_after_all_of_it_the_service_answers_and_has_asked_nobody(service: RunningService) -> None:
    assert post(service, job()).status == 200
    assert not outgoing_connections(service)
    assert memory_mib(service) < 300


def outgoing_connections(service: RunningService) -> list[str]:
    """The service's TCP connections that do not begin at its own port."""
    port = int(service.address.rpartition(":")[2])
    process = Path(f"/proc/{service.process.pid}")
    sockets = {str(file.readlink()) for file in (process / "fd").iterdir() if file.is_symlink()}
    lines = [line.split() for name in ("tcp", "tcp6") for line in (process / "net" / name).read_text().splitlines()[1:]]
    ours = [line for line in lines if f"socket:[{line[9]}]" in sockets]
    return [line[2] for line in ours if int(line[1].rpartition(":")[2], 16) != port]
