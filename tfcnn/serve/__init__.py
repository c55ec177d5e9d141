"""A run as a service: images come in over HTTP, and the answers of `tfcnn predict` go out."""

from tfcnn.serve.service_limits import Limits
from tfcnn.serve.service_settings import TOKEN, Settings, prepare

__all__ = ["TOKEN", "Limits", "Settings", "prepare"]
