"""What reads an uploaded file may exhaust, crash, ask and look for what it likes, to no avail."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from hotspots.errors import IntakeError
from hotspots.records import sandbox
from hotspots.records.intake import open_bytes, open_file
from hotspots.records.reading.limits import LIMITS, Limits

Run = Callable[..., dict[str, Any]]
SHORT = replace(LIMITS, wall_seconds=20.0)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs lines of code as the process that reads; gives what they leave in `answer`."""
    code = tmp_path / "code"
    code.mkdir()
    search, readable = sandbox._search_path, sandbox._readable
    monkeypatch.setattr(sandbox, "_search_path", lambda: [*search(), str(code)])
    monkeypatch.setattr(sandbox, "_readable", lambda: [*readable(), str(code)])

    def run_(lines: str, limits: Limits = SHORT, **more: Any) -> dict[str, Any]:
        body = "\n".join(f"    {line}" for line in lines.strip().splitlines())
        (code / "misbehaving.py").write_text(
            "import json\n"
            "def main(request, confined):\n"
            "    answer = {}\n"
            f"{body}\n"
            "    answer['confined'] = confined\n"
            "    open('answer.json', 'w').write(json.dumps(answer))\n"
            "    return 0\n"
        )
        folder = tmp_path / "private"
        folder.mkdir(mode=0o700)
        with tempfile.TemporaryFile() as file:
            file.write(b"uploaded")
            file.flush()
            try:
                sandbox.run(
                    "misbehaving", {}, folder, file=file, name="a.csv", limits=limits, **more
                )
            except BaseException:
                assert not folder.exists()
                raise
        answer: dict[str, Any] = json.loads((folder / "answer.json").read_text())
        return answer

    return run_


def test_it_has_the_file_as_its_input_and_nothing_else(run: Run) -> None:
    answer = run("import sys\nanswer['read'] = sys.stdin.read()")
    assert answer["read"] == "uploaded"


@pytest.mark.parametrize(
    ("lines", "limits", "reason"),
    [
        ("kept = []\nwhile True: kept.append(bytearray(b'x' * 10_000_000))", {}, "file_too_heavy"),
        (
            # Shared memory is no "data" of a process: the look at its resident memory finds it.
            "import mmap, time\nkept = mmap.mmap(-1, 400_000_000)\n"
            "while True:\n    kept[::4096] = b'x' * len(kept[::4096])\n    time.sleep(0.1)",
            {"memory_bytes": 200_000_000},
            "file_too_heavy",
        ),
        ("while True: pass", {"cpu_seconds": 1}, "file_takes_too_long"),
        ("import time\ntime.sleep(60)", {"wall_seconds": 0.5}, "file_takes_too_long"),
        (
            "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)",
            {"wall_seconds": 0.5},
            "file_takes_too_long",
        ),
        ("import ctypes\nctypes.string_at(0)", {}, "file_reader_stopped"),
        ("import os\nos.abort()", {}, "file_reader_stopped"),
        ("import os\nos._exit(3)", {}, "file_reader_stopped"),
        ("raise KeyError('0912345678')", {}, "file_reader_stopped"),
        (
            "def deeper(): deeper()\nimport sys\nsys.setrecursionlimit(10**9)\ndeeper()",
            {},
            "file_too_heavy",
        ),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", {}, "file_too_heavy"),
    ],
)
def test_whatever_it_dies_of_is_an_error_about_the_file(
    run: Run, lines: str, limits: dict[str, Any], reason: str
) -> None:
    began = time.monotonic()
    with pytest.raises(IntakeError) as refused:
        run(lines, replace(SHORT, **limits))
    assert (refused.value.reason, refused.value.facts["file"]) == (reason, "a.csv")
    assert "0912345678" not in str(refused.value) + repr(refused.value.facts)
    assert time.monotonic() - began < 20


def test_it_writes_no_file_larger_than_allowed(run: Run) -> None:
    lines = (
        "try: open('big', 'wb').write(b'x' * 2_000_000)\nexcept OSError as e: answer['e'] = e.errno"
    )
    answer = run(lines, replace(SHORT, written_bytes=1_000_000))
    assert answer["e"] == 27  # EFBIG


def test_it_sees_no_variable_of_the_application(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTSPOTS_SECRET", "x")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    answer = run("import os\nanswer['names'] = list(os.environ)")
    assert not {"HOTSPOTS_SECRET", "HTTPS_PROXY"} & set(answer["names"])


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('127.0.0.1', PORT), 2)",
        "import socket; socket.getaddrinfo('localhost', PORT)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:PORT/')",
        "import subprocess; subprocess.run(['/bin/true'])",
        "import os; os.system('true')",
        "import os; os.fork()",
        "open('SECRET')",
        "open('SECRET.new', 'w')",
        "import pathlib; pathlib.Path('../secret').read_text()",
    ],
)
def test_it_reaches_no_address_no_program_and_no_other_file(
    run: Run, tmp_path: Path, attempt: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = str(server.getsockname()[1])
        line = attempt.replace("PORT", port).replace("SECRET", str(secret))
        answer = run(f"try: {line}\nexcept OSError as e: answer['refused'] = type(e).__name__")
        assert answer["refused"] in {"PermissionError", "URLError"}
        with pytest.raises(TimeoutError):
            server.accept()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["code", "private", "secret"]


def test_a_library_in_c_is_bound_by_the_system_itself(run: Run, tmp_path: Path) -> None:
    """The hook in the interpreter does not see what C opens; Landlock and the network do."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        answer = run(
            f"""
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
answer["file"] = libc.open({str(secret)!r}.encode(), 0) >= 0
answer["made"] = libc.open({str(secret)!r}.encode() + b"2", 0o101, 0o600) >= 0
address = struct.pack("=HHI8x", 2, {socket.htons(port)}, {socket.htonl(0x7F000001)})
answer["connected"] = libc.connect(libc.socket(2, 1, 0), address, 16) == 0
"""
        )
        assert answer["file"] == answer["made"] == (not answer["confined"]["files"])
        assert answer["connected"] == (not answer["confined"]["network"])


OPENED = """
import ctypes, sys
libc = ctypes.CDLL(None)
answer["opened"], answer["path"] = [], sys.path
for file in FILES:
    try:
        answer["opened"].append(open(file).name)
    except OSError:
        pass
    if confined["files"] and libc.open(file.encode(), 0) >= 0:
        answer["opened"].append(file)
"""


def test_what_lies_in_a_folder_somebody_works_in_is_not_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m` and pytest put the working folder on the search path; the store lies there."""
    working = tmp_path / "working"
    (working / "store").mkdir(parents=True)
    files = [working / "secret.csv", working / "store" / "hotspots.sqlite"]
    for file in files:
        file.write_text("secret")
    monkeypatch.chdir(working)
    monkeypatch.syspath_prepend(working)
    answer = run(OPENED.replace("FILES", repr([str(file) for file in files])))
    assert answer["opened"] == []
    assert str(working) not in answer["path"]


def test_of_this_project_only_its_packages_are_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the search path spells its folder."""
    spelled = tmp_path / "project"
    spelled.symlink_to(sandbox._ROOT)
    monkeypatch.syspath_prepend(spelled)
    monkeypatch.syspath_prepend(sandbox._ROOT / "tests")
    files = [sandbox._ROOT / "pyproject.toml", spelled / "app.py", Path(__file__).resolve()]
    assert all(file.is_file() for file in files)
    answer = run(OPENED.replace("FILES", repr([str(file) for file in files])))
    assert answer["opened"] == []


def test_gdal_knows_two_drivers_there(run: Run) -> None:
    answer = run("import pyogrio\nanswer['drivers'] = sorted(pyogrio.list_drivers())")
    assert set(answer["drivers"]) - {"MEM"} == {"ESRI Shapefile", "GPKG"}


def test_what_progress_raises_ends_it(run: Run, tmp_path: Path) -> None:
    pids: list[int] = []

    def stop(share: float) -> None:
        file = tmp_path / "private" / "pid"
        if file.exists() and file.read_text():
            pids.append(int(file.read_text()))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(
            "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)",
            progress=stop,
        )
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_it_ends_with_the_application(tmp_path: Path) -> None:
    """An application killed with -9 leaves no reader behind that goes on reading."""
    (tmp_path / "private").mkdir()
    application = tmp_path / "application.py"
    application.write_text(
        "import tempfile\n"
        "from pathlib import Path\n"
        "from hotspots.records import sandbox\n"
        "sandbox._START = sandbox._START.replace('import importlib', '''import os, time\n"
        "open('pid', 'w').write(str(os.getpid()))\n"
        "time.sleep(60)''')\n"
        f"sandbox.run('x', {{}}, Path({str(tmp_path / 'private')!r}), "
        "file=tempfile.TemporaryFile(), name='a')\n"
    )
    variables = {**os.environ, "PYTHONPATH": str(sandbox._ROOT)}
    with subprocess.Popen([sys.executable, str(application)], env=variables) as process:
        pid = _until(lambda: (tmp_path / "private" / "pid").read_text())
        process.kill()
    _until(lambda: "" if Path(f"/proc/{pid}").exists() and _state(pid) != "Z" else "gone")


def _state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def _until(answer: Callable[[], str]) -> str:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if found := answer():
                return found
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not happen within 20 seconds")


def test_others_go_on_while_a_reader_is_killed() -> None:
    """Two sessions of one application: one brings a bomb, the other works."""
    refused: list[str] = []
    bomb = b"a\n" + b"x\n" * 3_000_000
    same = pa.array(["x" * 1_000_000]).dictionary_encode().take(pa.array([0] * 20_000))
    large = io.BytesIO()  # a few kilobytes that unpack to 20 GB
    pa_parquet.write_table(pa.table({"a": same}), large)

    def bring() -> None:
        for content, name, limits in (
            (large.getvalue(), "large.parquet", replace(LIMITS, memory_bytes=300_000_000)),
            (bomb, "long.csv", replace(LIMITS, wall_seconds=0.3, wall_seconds_per_gb=0.0)),
        ):
            try:
                open_bytes(content, name, limits=limits)
            except IntakeError as error:
                refused.append(error.reason)

    other = threading.Thread(target=bring)
    other.start()
    answered = 0
    while other.is_alive() or not answered:
        with open_bytes(b"a,b\n1,2\n", "a.csv") as reading:
            answered += reading.rows
    other.join()
    assert refused == ["file_too_heavy", "file_takes_too_long"]
    assert answered >= 1


def test_many_files_at_once_do_not_mix() -> None:
    seen: dict[int, list[str]] = {}

    def read(number: int) -> None:
        with open_bytes(f"a\nv{number}\n".encode(), "a.csv") as reading:
            seen[number] = reading.table()["a"].tolist()

    threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {number: [f"v{number}"] for number in range(6)}


def test_a_million_rows_take_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = "".join(f"106.{n:06d},10.{n:06d},03/04/2025,Trộm cắp tài sản\n" for n in range(50_000))
    path.write_text("lon,lat,ngày,loại\n" + lines * 20, "utf-8")
    with open_file(path) as reading:
        assert reading.rows == 1_000_000
        assert reading.cost["memory_bytes"] < 300_000_000


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGTERM])
def test_the_signal_is_named(run: Run, number: signal.Signals) -> None:
    with pytest.raises(IntakeError) as refused:
        run(f"import os\nos.kill(os.getpid(), {int(number)})")
    assert refused.value.facts["ending"] == number.name


@pytest.mark.parametrize("words", ["", "[]", "[" * 100_000, '{"reason": "x"}', '{"facts": 1}'])
def test_a_refusal_that_makes_no_sense_is_an_error_about_the_file(run: Run, words: str) -> None:
    with pytest.raises(IntakeError) as refused:
        run(f"open('refusal.json', 'w').write({words!r})")
    assert refused.value.reason == "file_reader_stopped"


def test_a_refusal_comes_back_with_its_facts(run: Run) -> None:
    said = {"reason": "x", "message": "y", "facts": {"row": 3, "reason": "z"}}
    with pytest.raises(IntakeError) as refused:
        run(f"open('refusal.json', 'w').write(json.dumps({said!r}))")
    assert (refused.value.reason, str(refused.value)) == ("x", "y")
    assert refused.value.facts == {"file": "a.csv", "row": 3, "reason": "z"}
