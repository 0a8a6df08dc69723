"""Errors over HTTP: problem details (RFC 9457) with a stable code and a sentence in the reader's language."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from aiohttp import web

from signaling.errors import ClientError, text_of

STATUS: Final[dict[str, int]] = {
    "malformed": 400,
    "sdp_invalid": 400,
    "unauthorized": 401,
    "link_invalid": 401,
    "link_expired": 401,
    "link_not_yet": 401,
    "not_allowed": 403,
    "not_found": 404,
    "method": 405,
    "sdp_unacceptable": 406,
    "not_live": 409,
    "visit_ended": 410,
    "precondition_failed": 412,
    "too_large": 413,
    "media_type": 415,
    "ice_mismatch": 422,
    "precondition_required": 428,
    "too_fast": 429,
    "room_full": 503,
    "media_unavailable": 503,
}
"""Every other code is 500."""

RETRY_S: Final[dict[str, int]] = {"not_live": 5, "too_fast": 5, "room_full": 30, "media_unavailable": 5}


def problem(error: ClientError, language: str) -> web.Response:
    """Return the response that says what was wrong."""
    status = STATUS.get(error.code, 500)
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": text_of(error.code, language)}
    body["code"] = error.code
    if error.reason:
        body["reason"] = error.reason
    headers = {"Content-Language": language}
    if error.code in RETRY_S:
        headers["Retry-After"] = str(RETRY_S[error.code])
    if status == HTTPStatus.UNAUTHORIZED:
        invalid = "" if error.code == "unauthorized" else ', error="invalid_token"'
        headers["WWW-Authenticate"] = f'Bearer realm="parvis"{invalid}'
    return web.Response(
        body=json.dumps(body, ensure_ascii=False).encode(),
        status=status,
        content_type="application/problem+json",
        headers=headers,
    )


def language_of(accepted: str) -> str:
    """Return `fr` or `en`, whichever an Accept-Language header names first; French when it names neither."""
    for item in accepted.lower().split(","):
        language = item.strip()[:2]
        if language in ("fr", "en"):
            return language
    return "fr"
