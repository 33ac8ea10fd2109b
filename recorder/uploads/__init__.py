"""Recordings on their way to S3-compatible storage: what is sent, how it goes on after a crash, when it is tried again.

README.md says more. Whoever uses it needs boto3 (`pip install 'sfu[s3]'`).
"""

from recorder.uploads.config import UploadConfig
from recorder.uploads.target import Target, parse_target
from recorder.uploads.uploads import Delayed, Failed, Uploaded, UploadEvent, Uploads

__all__ = ["Delayed", "Failed", "Target", "UploadConfig", "UploadEvent", "Uploaded", "Uploads", "parse_target"]
