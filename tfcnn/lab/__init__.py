"""What a learner touches: pages, lessons and exercises."""

from tfcnn.lab.drawing import show_confusion, show_history, show_images
from tfcnn.lab.exercises import check, exercise, exercises, solution
from tfcnn.lab.stand_in import downloaded

__all__ = [
    "check", "downloaded", "exercise", "exercises", "show_confusion", "show_history", "show_images",
    "solution",
]  # fmt: skip
