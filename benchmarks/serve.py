"""Single images over HTTP, many at once: tfcnn serve beside FastAPI with Keras' `model.predict`.

    python benchmarks/serve.py malaria data/malaria/cell_images --seconds 60 --repeats 3

Both services run all the time, in processes of their own, and are asked in turn by this one, from
16 threads over connections that stay open. Each request has one image. A ratio is of one repeat,
so that a busy machine is busy for both.
"""

import argparse
import http.client
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
from figures import spread

import tfcnn
from tfcnn.datasets.folder import image_files

RIVAL = Path(__file__).parent / "rivals" / "keras_service.py"
WARM_UP_SECONDS = 2.0
STARTS_SECONDS = 180
MOST_IMAGES = 1000


class Load(NamedTuple):
    """What came of asking a service for some time."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def started(*command: object) -> Iterator[int]:
    """Start a service, whose last word is its port, and wait until it answers."""
    port = free_port()
    process = subprocess.Popen([sys.executable, *map(str, command), str(port)])
    try:
        for _ in range(10 * STARTS_SECONDS):
            with ExitStack() as stack:
                stack.callback(time.sleep, 0.1)
                try:
                    stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                except OSError:
                    if process.poll() is not None:
                        sys.exit(f"{command}: ended with {process.returncode}")
                    continue
            break
        yield port
    finally:
        process.terminate()
        process.wait()


def bodies(folder: Path) -> tuple[list[bytes], str]:
    """Return the bodies of requests, each with one image, and their content type."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="images"; filename="a.png"'
    paths = image_files(folder)[0][:: max(1, len(image_files(folder)[0]) // MOST_IMAGES)]
    texts = [
        f"{head}\r\n\r\n".encode() + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        for path in paths
    ]
    return texts, f"multipart/form-data; boundary={boundary}"


def ask(port: int, content: list[bytes], kind: str, seconds: float, threads: int) -> Load:
    """Ask a service for some time, from several threads."""
    numbers, end = count(), time.perf_counter() + seconds

    def client(_: int) -> tuple[list[float], int]:
        connection, taken, errors = http.client.HTTPConnection("127.0.0.1", port, 60), [], 0
        while (start := time.perf_counter()) < end:
            try:
                body = content[next(numbers) % len(content)]
                connection.request("POST", "/v1/predict", body, {"Content-Type": kind})
                response = connection.getresponse()
                response.read()
                errors += response.status != 200
            except OSError:
                errors += 1
                connection.close()
            taken.append(1000 * (time.perf_counter() - start))
        connection.close()
        return taken, errors

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(client, range(threads)))
    taken = np.concatenate([times for times, _ in results])
    p50, p99 = np.percentile(taken, [50, 99])
    return Load(len(taken) / seconds, p50, p99, sum(errors for _, errors in results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=16)
    arguments = parser.parse_args()
    run = tfcnn.load(arguments.run)
    content, kind = bodies(arguments.folder)
    found: dict[str, list[Load]] = {"tfcnn serve": [], "FastAPI, model.predict": []}
    with ExitStack() as stack:
        ours = started("-m", "tfcnn", "serve", run.path, "--port")
        rival = started(RIVAL, run.model_path, run.decoder.shape[0])
        ports = [stack.enter_context(service) for service in (ours, rival)]
        for _ in range(arguments.repeats):
            for port, loads in zip(ports, found.values(), strict=True):
                ask(port, content, kind, WARM_UP_SECONDS, arguments.threads)
                loads.append(ask(port, content, kind, arguments.seconds, arguments.threads))
    for name, loads in found.items():
        rows = zip(*loads, strict=True)
        texts = (
            f"{title} {spread(list(row))}" for title, row in zip(Load._fields, rows, strict=True)
        )
        print(f"{name}: {', '.join(texts)}")
    ours_found, rival_found = found.values()
    pairs = list(zip(ours_found, rival_found, strict=True))
    print(
        "times the throughput:", spread([one.per_second / other.per_second for one, other in pairs])
    )
    print("times the p99:", spread([one.p99_ms / other.p99_ms for one, other in pairs]))


if __name__ == "__main__":
    main()
