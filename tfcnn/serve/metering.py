"""What a service has done, for Prometheus."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Meter:
    """Counts, in a registry of its own; no count names a file or a class."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "tfcnn_requests", "Requests for predictions, by status.", ["status"], registry=registry
        )
        self._images = Counter(
            "tfcnn_images", "Images, by flag; none is the usual one.", ["flag"], registry=registry
        )
        self._seconds = Histogram(
            "tfcnn_request_seconds",
            "From the head of a request for predictions to the end of its answer.",
            buckets=SECONDS,
            registry=registry,
        )
        self._batch = Histogram(
            "tfcnn_batch_images", "Images that were computed at once.", buckets=BATCHES,
            registry=registry,
        )  # fmt: skip
        self.active = Gauge(
            "tfcnn_active_requests", "Requests for predictions now.", registry=registry
        )

    def count_request(self, status: int, seconds: float) -> None:
        """Count a request for predictions that has ended."""
        self._requests.labels(str(status)).inc()
        self._seconds.observe(seconds)

    def count_image(self, flag: str) -> None:
        """Count an image."""
        self._images.labels(flag or "none").inc()

    def count_batch(self, images: int) -> None:
        """Count a batch."""
        self._batch.observe(images)

    def text(self) -> bytes:
        """Return the counts in Prometheus' text format."""
        return generate_latest(self._registry)
