"""What every network and every source of images must do.

Our own are tested for it, and `tfcnn check` looks for it in a user's own file.
"""

from tfcnn.contracts.check import Outcome, Verdict, check

__all__ = ["Outcome", "Verdict", "check"]
