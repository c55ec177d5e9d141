"""Run many inputs, a reader after the other, each in a process of its own, and print a table.

python -m faults.fuzz --inputs 100000
python -m faults.fuzz --only archive --at 8123      # one input again, with its traceback
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from faults.fuzz.attack import MOST_MB, MOST_SECONDS, Fault, attack, content_of
from faults.fuzz.readers import READERS

MOST_SHOWN = 20  # faults
HANG_SECONDS = 120.0  # of the clock, without a new input: on a busy machine ten are too few


def main() -> None:
    options = _options()
    if options.at is not None:
        return _again(options.only, options.seed, options.at)
    if options.work is not None:
        return _work(options.only, options.seed, options.work, options.until, options.progress)
    total_share = sum(reader.share for reader in READERS.values())
    faults: list[Fault] = []
    rows, begin = [], time.monotonic()
    for name, reader in READERS.items():
        if options.only in (None, name):
            share = 1 if options.only else reader.share / total_share
            count = round(options.inputs * share)
            results, found, seconds = _all(name, options.seed, count)
            faults += found
            rows.append((name, count, results, count - results - len(found), len(found), seconds))
            print("{:12} {:>8,} inputs {:>8,} results {:>8,} refused {:>4} faults {:>7.0f} s"
                  .format(*rows[-1]), flush=True)  # fmt: skip
    inputs, results, refused = (sum(row[place] for row in rows) for place in (1, 2, 3))
    print(
        f"{inputs:,} inputs, seed {options.seed}: {results:,} gave a result, {refused:,} an error "
        f"of one line, {len(faults)} broke the rule (another error, a crash, no end, a write "
        f"elsewhere, over {MOST_SECONDS:g} s, over {MOST_MB:,.0f} MB); "
        f"{time.monotonic() - begin:,.0f} s"
    )
    for fault in faults[:MOST_SHOWN]:
        print(f"  {fault.reader} {fault.number}: {fault.what}")
    if len(faults) > MOST_SHOWN:
        print(f"  and {len(faults) - MOST_SHOWN:,} more")
    sys.exit(1 if faults else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=READERS)
    parser.add_argument("--at", type=int, help="repeat this one input of the reader `--only`")
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--progress", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.at is not None and options.only is None:
        parser.error("--at needs --only")
    return options


def _again(name: str, seed: int, number: int) -> None:
    content = content_of(name, seed, number)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / READERS[name].name
        path.write_bytes(content)
        print(f"{len(content):,} bytes: {content[:300]!r}")
        print(READERS[name].read(path))


def _all(name: str, seed: int, count: int) -> tuple[int, list[Fault], float]:
    """Run a reader's inputs; one that crashes or hangs is a fault, and the others are run."""
    results, faults, seconds, parts = 0, [], 0.0, [(0, count)]
    while parts:
        start, until = parts.pop()
        told, stop = _process(name, seed, start, until)
        for line in told:
            results, seconds = results + line["results"], seconds + line["seconds"]
            faults += [Fault(**fault) for fault in line["faults"]]
        if stop:
            faults.append(stop)
            heard = told[-1]["at"] + 1 if told else start  # later ones: unknown
            parts += [(stop.number + 1, until), (heard, stop.number)]
        parts = [(start, until) for start, until in parts if start < until]
    return results, faults, seconds


def _process(name: str, seed: int, start: int, until: int) -> tuple[list[dict], Fault | None]:
    """Run inputs in a process; return what it told, and what kept it from its end."""
    words = ["--only", name, "--seed", str(seed), "--work", str(start), "--until", str(until)]
    told, why = [], ""
    with tempfile.TemporaryFile() as errors, tempfile.NamedTemporaryFile() as at, subprocess.Popen(
        [sys.executable, "-m", "faults.fuzz", *words, "--progress", at.name],
        stdout=subprocess.PIPE, stderr=errors,
    ) as process:  # fmt: skip
        for raw in _lines(process):
            told.append(json.loads(raw))
        if process.poll() is None:
            process.kill()
            why = f"no answer for {HANG_SECONDS:g} s"
        elif code := process.wait():
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines()[-1:] or [""]
            why = f"the process ended with {code}: {last[0]:.200}"
        number = int(at.read() or start)
    return told, Fault(name, number, why) if why else None


def _lines(process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    """Yield lines until there are no more, or none comes for too long."""
    import selectors

    stream, buffered = process.stdout, b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while selector.select(HANG_SECONDS):
            piece = os.read(stream.fileno(), 1 << 16)
            if not piece:
                process.wait()
                return
            *whole, buffered = (buffered + piece).split(b"\n")
            yield from whole


def _work(name: str, seed: int, start: int, until: int, progress: str) -> None:
    """Read inputs and tell of them: at once of a fault, and now and then of all others.

    The file `progress` holds the number of the input that is being read.
    """
    at = os.open(progress, os.O_WRONLY)
    with tempfile.TemporaryDirectory() as folder:
        results, faults, told = 0, [], time.monotonic()
        began = time.process_time()

        def note(number: int) -> None:
            os.pwrite(at, f"{number:12}".encode(), 0)

        answers = attack(name, seed, range(start, until), Path(folder), note)
        for number, answer in enumerate(answers, start=start):
            if isinstance(answer, Fault):
                faults.append(answer.to_dict())
            else:
                results += answer
            if faults or time.monotonic() - told > 0.2 or number == until - 1:
                line = {"at": number, "results": results, "faults": faults,
                        "seconds": time.process_time() - began}  # fmt: skip
                print(json.dumps(line), flush=True)
                results, faults, told, began = 0, [], time.monotonic(), time.process_time()


if __name__ == "__main__":
    main()
