"""The sealed path is silent: load, predict and serve neither resolve a name nor reach beyond this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = '''
import ipaddress, json, os, signal, sys, threading, time, urllib.request

LOUD = {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
        "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo", "http.client.connect", "urllib.Request",
        "ftplib.connect", "smtplib.connect"}
broken = []

def here(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

def listen(event, given):
    if event not in LOUD or event == "urllib.Request":
        return
    where = given[0] if event.startswith("socket.get") else given[1] if len(given) > 1 else None
    host = where[0] if isinstance(where, tuple) else where
    if isinstance(host, (str, bytes)) and not here(host if isinstance(host, str) else host.decode()):
        broken.append((event, str(host)))
        raise RuntimeError(f"not silent: {event} {host}")

sys.addaudithook(listen)
from pathlib import Path
from students.bundle_options import PredictOptions, SelftestOptions
from students.predict import predict
from students.runtime import Student
from students.serve import serve
from students.serve_options import ServeOptions

if sys.argv[2] == "probe":  # the hook itself must hear
    import socket
    for reach in (lambda: socket.create_connection(("192.0.2.1", 9), 0.1), lambda: socket.gethostbyname("example.com")):
        try:
            reach()
        except RuntimeError:
            pass
    print(len(broken))
    sys.exit(0)

bundle = Path(sys.argv[1])
assert Student.load(bundle).tag(["in Oslo"])[0].entities
predict(PredictOptions(bundle=bundle, text="to Lima"))

def ask():
    while not (line := said.readline()):
        time.sleep(0.05)
    url = line.partition(" answers at ")[2].split()[0]
    request = urllib.request.Request(url + "tag", b'{"text": "Oslo"}', {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for page in ("", "docs", "openapi.json", "metrics", "health", "page.js", "page.css"):
        assert opener.open(url + page).status == 200
    assert json.load(opener.open(request))["entities"]
    os.kill(os.getpid(), signal.SIGTERM)

reading, writing = os.pipe()
said, sys.stderr = os.fdopen(reading), os.fdopen(writing, "w", buffering=1)
asker = threading.Thread(target=ask)
asker.start()
report = serve(ServeOptions(bundle=bundle, port=0))
asker.join()
assert report.texts == 1 and not report.faults, report
assert not broken, broken
print("silent")
'''
LONELY = '''
import fcntl, os, socket, struct, sys
with socket.socket() as line:  # only loopback exists here, and it is down
    fcntl.ioctl(line, 0x8914, struct.pack("16sh22x", b"lo", 1))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
'''


def environment(folder: Path) -> dict[str, str]:
    """An empty home, no settings of libraries; and a collector of traces that FastAPI could be tempted to call."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "OTEL_", "TRANSFORMERS"))}
    tempting = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://192.0.2.1:4318", "FASTAPI_OTEL_AUTO_CONFIGURE": "true"}
    return {**kept, **tempting, "HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[1])}


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, env=environment(folder), capture_output=True, text=True, timeout=200, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_the_listener_hears_what_is_not_silent(word_bundle: Path, tmp_path: Path) -> None:
    assert run([sys.executable, "-c", PROGRAM, str(word_bundle), "probe"], tmp_path) == "2"


def test_load_predict_and_serve_reach_nobody(word_bundle: Path, tmp_path: Path) -> None:
    assert run([sys.executable, "-c", PROGRAM, str(word_bundle), "all"], tmp_path) == "silent"


def test_they_work_where_there_is_no_network_at_all(word_bundle: Path, tmp_path: Path) -> None:
    apart = [shutil.which("unshare") or "unshare", "--net", "--map-root-user"]
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare cannot make a network namespace here")
    inner = [sys.executable, "-c", LONELY, "-c", PROGRAM, str(word_bundle), "all"]
    assert run([*apart, *inner], tmp_path) == "silent"
