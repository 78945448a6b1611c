"""Events to a web address, through urllib3."""

from __future__ import annotations

import logging
import os
from typing import Any
from urllib.parse import urlsplit

from ...runtime.errors import InputError, MissingExtraError, OutputError
from ..frames import CapturedFrame
from ..sources.address import without_password
from ..views import Event, FrameResult
from .text import event_json

log = logging.getLogger(__name__)

TOKEN_VARIABLE = "OSTRACK_WEBHOOK_TOKEN"
"""The variable of the environment whose value goes along as `Authorization: Bearer`."""

_TIMEOUT = 5.0
_TRIES = 4


class WebhookSink:
    """POSTs each event as JSON: a target added, lost, found; the source gone, back. Not every frame: that is what MQTT
    is for. An answer of 5xx, or none, is tried again, four times in all; then the event is lost, and said so."""

    wants_frames = False
    capacity = 1000

    def __init__(self, url: str) -> None:
        """Raises InputError unless it is an http or https address."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"{url!r} is no web address; give http://HOST/PATH or https://HOST/PATH")
        self._url = url
        self._pool: Any = None
        self.failed = 0

    @property
    def name(self) -> str:
        return without_password(self._url)

    def open(self) -> None:
        try:
            import urllib3
        except ImportError:
            raise MissingExtraError("urllib3", "sending events to a web address", "web") from None
        retries = urllib3.Retry(
            total=_TRIES - 1, backoff_factor=0.5, status_forcelist=range(500, 600), allowed_methods=None, redirect=0
        )
        self._pool = urllib3.PoolManager(retries=retries, timeout=_TIMEOUT, maxsize=1)

    def write(self, frame: CapturedFrame | None, result: FrameResult) -> None:
        """Frames are not sent."""

    def tell(self, event: Event) -> None:
        import urllib3

        headers = {"Content-Type": "application/json"}
        if token := os.environ.get(TOKEN_VARIABLE):
            headers["Authorization"] = f"Bearer {token}"
        try:
            answer = self._pool.request("POST", self._url, body=event_json(event).encode(), headers=headers)
            reason = "" if 200 <= answer.status < 300 else f"it answers {answer.status}"
        except urllib3.exceptions.HTTPError as error:
            reason = str(getattr(error, "reason", None) or error)
        if reason:
            self.failed += 1
            log.warning("%s did not take an event (%s): %s", self.name, event.text, reason)

    def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.clear()
        if self.failed:
            raise OutputError(f"{self.name} did not take {self.failed} events; the log says why")
