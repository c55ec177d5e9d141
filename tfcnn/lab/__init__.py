"""What a learner touches: pages, lessons and exercises."""

from tfcnn.lab.exercises import check, exercise, exercises, solution
from tfcnn.lab.stand_in import downloaded

__all__ = ["check", "downloaded", "exercise", "exercises", "solution"]
