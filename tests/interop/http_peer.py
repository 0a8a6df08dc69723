"""aiortc as a WHIP encoder or a WHEP player: one HTTP request, no WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urldefrag, urljoin

import aiohttp
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack


class HttpPeer:
    """A peer connection that was set up by one POST."""

    def __init__(self, connection: RTCPeerConnection, http: aiohttp.ClientSession, resource: str) -> None:
        self.connection = connection
        self.resource = resource
        """URL of the session."""
        self._http = http

    def track(self, kind: str) -> MediaStreamTrack:
        """Return what is received of a kind."""
        return next(each.receiver.track for each in self.connection.getTransceivers() if each.kind == kind)

    async def end(self) -> int:
        """DELETE the session and return the status."""
        async with self._http.delete(self.resource) as response:
            return response.status


def endpoint(link: str, kind: str, **query: str) -> tuple[str, str]:
    """Return the endpoint's URL and the token that a join link (`…/v/VISIT#TOKEN`) stands for."""
    page, token = urldefrag(link)
    words = "&".join(f"{name}={value}" for name, value in query.items())
    return urljoin(page, f"/{kind}/{page.rsplit('/', 1)[1]}" + (f"?{words}" if words else "")), token


@asynccontextmanager
async def http_peer(kind: str, link: str, *tracks: MediaStreamTrack, **query: str) -> AsyncIterator[HttpPeer]:
    """Publish tracks by WHIP, or with none of them watch by WHEP, while the block lasts."""
    url, token = endpoint(link, kind, **query)
    connection = RTCPeerConnection()
    for track in tracks:
        connection.addTransceiver(track, direction="sendonly")
    if not tracks:
        connection.addTransceiver("audio", direction="recvonly")
        connection.addTransceiver("video", direction="recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    try:
        async with aiohttp.ClientSession() as http:
            async with http.post(url, data=connection.localDescription.sdp, headers=headers) as response:
                text = await response.text()
                assert response.status == 201, text
                resource = urljoin(url, response.headers["Location"])
            await connection.setRemoteDescription(RTCSessionDescription(text, "answer"))
            yield HttpPeer(connection, http, resource)
    finally:
        await connection.close()
