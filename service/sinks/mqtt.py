"""Results to an MQTT broker, through paho-mqtt."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ...runtime.errors import InputError, MissingExtraError, OutputError
from ..frames import CapturedFrame
from ..views import Event, FrameResult
from .text import event_json, result_json

PASSWORD_VARIABLE = "OSTRACK_MQTT_PASSWORD"
_WAITING = 2000
"""Messages that are kept while the broker is away."""
_FAREWELL = 5.0
"""Seconds that the last messages have when the session stops."""


@dataclass(frozen=True)
class MqttAddress:
    """`mqtt://[user@]host[:1883]/topic`, `mqtts://` with TLS; `?rate=5`: at most so many results a second; `?qos=0`.

    The password comes from the environment (OSTRACK_MQTT_PASSWORD): a command line can be read by every user.
    """

    host: str
    port: int
    topic: str
    tls: bool = False
    user: str = ""
    rate: float = 0.0
    qos: int = 1

    @classmethod
    def parse(cls, url: str) -> MqttAddress:
        """Raises InputError."""
        wrong = InputError(f"{url!r} is no MQTT address; give mqtt://HOST/TOPIC or mqtts://USER@HOST:PORT/TOPIC")
        try:
            parts = urlsplit(url)
            options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
            rate, qos = float(options.pop("rate", "0")), int(options.pop("qos", "1"))
            port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        except ValueError:
            raise wrong from None
        topic = unquote(parts.path.strip("/"))
        if (
            parts.scheme not in ("mqtt", "mqtts")
            or not parts.hostname
            or not topic
            or options
            or "#" in url
            or rate < 0
        ):
            raise wrong
        if qos not in (0, 1) or "#" in topic or "+" in topic:
            raise wrong
        if parts.password is not None:
            raise InputError(f"the password of {parts.hostname} belongs into the variable {PASSWORD_VARIABLE}")
        return cls(parts.hostname, port, topic, parts.scheme == "mqtts", unquote(parts.username or ""), rate, qos)


class MqttSink:
    """Publishes each result to TOPIC/results, each event to TOPIC/events, and `online` or `offline`, retained, to
    TOPIC/status. The connection is made and made again in the background; what waits for it is bounded."""

    wants_frames = False
    capacity = 5000

    def __init__(self, address: MqttAddress) -> None:
        self._address = address
        self._client: Any = None
        self._next = 0.0
        self._confirming = threading.Condition()
        self._confirmed: deque[int] = deque(maxlen=100)

    @property
    def name(self) -> str:
        return f"mqtt://{self._address.host}:{self._address.port}/{self._address.topic}"

    def open(self) -> None:
        try:
            from paho.mqtt import client as mqtt
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise MissingExtraError("paho-mqtt", "sending results to an MQTT broker", "mqtt") from None
        address = self._address
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.max_queued_messages_set(_WAITING)
        if address.user:
            client.username_pw_set(address.user, os.environ.get(PASSWORD_VARIABLE))
        if address.tls:
            client.tls_set()
        client.will_set(f"{address.topic}/status", "offline", qos=1, retain=True)
        client.on_connect = self._connected
        client.on_publish = self._published
        client.reconnect_delay_set(1, 30)
        self._client = client
        client.connect_async(address.host, address.port, keepalive=30)
        client.loop_start()

    def write(self, frame: CapturedFrame | None, result: FrameResult) -> None:
        now = time.monotonic()
        if self._address.rate and now < self._next:
            return
        if self._address.rate:
            self._next = now + 1 / self._address.rate
        self._publish("results", result_json(result))

    def tell(self, event: Event) -> None:
        self._publish("events", event_json(event))

    def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        last = client.publish(f"{self._address.topic}/status", "offline", qos=1, retain=True).mid
        # Messages of one client arrive in order: once this one is there, so are those before it. The library's own
        # waiting gives up at once on a connection that is still being made.
        with self._confirming:
            arrived = self._confirming.wait_for(lambda: last in self._confirmed, _FAREWELL)
        client.disconnect()
        client.loop_stop()
        if not arrived:
            raise OutputError(
                f"{self.name} did not take the last messages within {_FAREWELL:g} s; is the broker there?"
            )

    def _publish(self, branch: str, text: str) -> None:
        sent = self._client.publish(f"{self._address.topic}/{branch}", text, qos=self._address.qos)
        if sent.rc == _queue_full():
            raise OutputError(f"{self.name} is away, and {_WAITING} messages wait for it already")

    def _connected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if not reason.is_failure:
            client.publish(f"{self._address.topic}/status", "online", qos=1, retain=True)

    def _published(self, client: Any, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        with self._confirming:
            self._confirmed.append(mid)
            self._confirming.notify_all()


def _queue_full() -> int:
    from paho.mqtt.enums import MQTTErrorCode

    return MQTTErrorCode.MQTT_ERR_QUEUE_SIZE
