"""Akka HTTP's server side: routes as values, on the HTTP/1.1 core that the endpoint uses. Names load when first used.

from smackbox.akka.http import Http, as_, complete, decode_request, entity, path, post

@(path("events") & post & decode_request & entity(as_(Event)))
async def events(event: Event) -> Route:
    await writer.request(event, timeout_s=1)
    return complete(HTTPStatus.ACCEPTED)

binding = await Http(system).new_server_at("127.0.0.1", 0).bind(events)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smackbox.akka.http.bodies import Unmarshaller as Unmarshaller
    from smackbox.akka.http.bodies import as_ as as_
    from smackbox.akka.http.bodies import decode_request as decode_request
    from smackbox.akka.http.bodies import decode_request_with as decode_request_with
    from smackbox.akka.http.bodies import entity as entity
    from smackbox.akka.http.bodies import extract_data_bytes as extract_data_bytes
    from smackbox.akka.http.bodies import with_size_limit as with_size_limit
    from smackbox.akka.http.bodies import without_size_limit as without_size_limit
    from smackbox.akka.http.client import ClientRequest as ClientRequest
    from smackbox.akka.http.client import ClientResponse as ClientResponse
    from smackbox.akka.http.client import ClientSettings as ClientSettings
    from smackbox.akka.http.client import HttpClient as HttpClient
    from smackbox.akka.http.client import TooManyRequestsError as TooManyRequestsError
    from smackbox.akka.http.cookies import HttpCookie as HttpCookie
    from smackbox.akka.http.cookies import cookie as cookie
    from smackbox.akka.http.cookies import delete_cookie as delete_cookie
    from smackbox.akka.http.cookies import optional_cookie as optional_cookie
    from smackbox.akka.http.cookies import set_cookie as set_cookie
    from smackbox.akka.http.directives import REQUIRED as REQUIRED
    from smackbox.akka.http.directives import authorize as authorize
    from smackbox.akka.http.directives import delete as delete
    from smackbox.akka.http.directives import extract as extract
    from smackbox.akka.http.directives import extract_actor_system as extract_actor_system
    from smackbox.akka.http.directives import extract_client_ip as extract_client_ip
    from smackbox.akka.http.directives import extract_method as extract_method
    from smackbox.akka.http.directives import extract_request as extract_request
    from smackbox.akka.http.directives import extract_unmatched_path as extract_unmatched_path
    from smackbox.akka.http.directives import get as get
    from smackbox.akka.http.directives import handle_exceptions as handle_exceptions
    from smackbox.akka.http.directives import handle_rejections as handle_rejections
    from smackbox.akka.http.directives import head as head
    from smackbox.akka.http.directives import header as header
    from smackbox.akka.http.directives import map_request as map_request
    from smackbox.akka.http.directives import map_response as map_response
    from smackbox.akka.http.directives import method as method
    from smackbox.akka.http.directives import options as options
    from smackbox.akka.http.directives import parameter as parameter
    from smackbox.akka.http.directives import patch as patch
    from smackbox.akka.http.directives import post as post
    from smackbox.akka.http.directives import provide as provide
    from smackbox.akka.http.directives import put as put
    from smackbox.akka.http.directives import respond_with_headers as respond_with_headers
    from smackbox.akka.http.directives import validate as validate
    from smackbox.akka.http.encoding import encode_response as encode_response
    from smackbox.akka.http.encoding import encode_response_with as encode_response_with
    from smackbox.akka.http.files import get_from_directory as get_from_directory
    from smackbox.akka.http.files import get_from_file as get_from_file
    from smackbox.akka.http.forms import FileInfo as FileInfo
    from smackbox.akka.http.forms import UploadedFile as UploadedFile
    from smackbox.akka.http.forms import file_upload as file_upload
    from smackbox.akka.http.forms import file_upload_all as file_upload_all
    from smackbox.akka.http.forms import form_field as form_field
    from smackbox.akka.http.negotiation import negotiate as negotiate
    from smackbox.akka.http.paths import REMAINING as REMAINING
    from smackbox.akka.http.paths import path as path
    from smackbox.akka.http.paths import path_end as path_end
    from smackbox.akka.http.paths import path_end_or_single_slash as path_end_or_single_slash
    from smackbox.akka.http.paths import path_prefix as path_prefix
    from smackbox.akka.http.paths import path_single_slash as path_single_slash
    from smackbox.akka.http.ranges import with_range_support as with_range_support
    from smackbox.akka.http.rejections import Rejection as Rejection
    from smackbox.akka.http.rejections import RejectionHandler as RejectionHandler
    from smackbox.akka.http.rejections import ValidationRejection as ValidationRejection
    from smackbox.akka.http.route import Directive as Directive
    from smackbox.akka.http.route import Route as Route
    from smackbox.akka.http.route import StreamedResponse as StreamedResponse
    from smackbox.akka.http.route import complete as complete
    from smackbox.akka.http.route import concat as concat
    from smackbox.akka.http.route import redirect as redirect
    from smackbox.akka.http.route import reject as reject
    from smackbox.akka.http.security import authenticate_basic as authenticate_basic
    from smackbox.akka.http.security import authenticate_bearer as authenticate_bearer
    from smackbox.akka.http.security import cors as cors
    from smackbox.akka.http.server import Http as Http
    from smackbox.akka.http.server import ServerBinding as ServerBinding
    from smackbox.akka.http.server import ServerSettings as ServerSettings
    from smackbox.akka.http.sse import ServerSentEvent as ServerSentEvent
    from smackbox.akka.http.sse import complete_events as complete_events
    from smackbox.akka.http.timeouts import with_request_timeout as with_request_timeout
    from smackbox.akka.http.timeouts import without_request_timeout as without_request_timeout
    from smackbox.akka.http.uploads import StreamedFile as StreamedFile
    from smackbox.akka.http.uploads import store_uploaded_file as store_uploaded_file
    from smackbox.akka.http.uploads import store_uploaded_files as store_uploaded_files
    from smackbox.akka.http.uploads import streamed_file_upload as streamed_file_upload
    from smackbox.akka.http.uploads import streamed_file_upload_all as streamed_file_upload_all
    from smackbox.akka.http.websocket_messages import BinaryMessage as BinaryMessage
    from smackbox.akka.http.websocket_messages import MessageError as MessageError
    from smackbox.akka.http.websocket_messages import TextMessage as TextMessage
    from smackbox.akka.http.websockets import WebSocketRequest as WebSocketRequest
    from smackbox.akka.http.websockets import handle_websocket as handle_websocket
    from smackbox.net.websocket import UpgradeRejectedError as UpgradeRejectedError
    from smackbox.net.websocket import WebSocketError as WebSocketError
    from smackbox.net.websocket import WebSocketSettings as WebSocketSettings
    from smackbox.net.websocket_deflate import Deflate as Deflate

_HTTP = "smackbox.akka.http."
_LAZY = {
    **dict.fromkeys(
        (
            "REQUIRED",
            "authorize",
            "delete",
            "extract",
            "extract_actor_system",
            "extract_client_ip",
            "extract_method",
            "extract_request",
            "extract_unmatched_path",
            "get",
            "handle_exceptions",
            "handle_rejections",
            "head",
            "header",
            "map_request",
            "map_response",
            "method",
            "options",
            "parameter",
            "patch",
            "post",
            "provide",
            "put",
            "respond_with_headers",
            "validate",
        ),
        _HTTP + "directives",
    ),
    **dict.fromkeys(
        (
            "Unmarshaller",
            "as_",
            "decode_request",
            "decode_request_with",
            "entity",
            "extract_data_bytes",
            "with_size_limit",
            "without_size_limit",
        ),
        _HTTP + "bodies",
    ),
    **dict.fromkeys(("HttpCookie", "cookie", "delete_cookie", "optional_cookie", "set_cookie"), _HTTP + "cookies"),
    "negotiate": _HTTP + "negotiation",
    "with_range_support": _HTTP + "ranges",
    **dict.fromkeys(("with_request_timeout", "without_request_timeout"), _HTTP + "timeouts"),
    **dict.fromkeys(("WebSocketRequest", "handle_websocket"), _HTTP + "websockets"),
    **dict.fromkeys(("BinaryMessage", "MessageError", "TextMessage"), _HTTP + "websocket_messages"),
    "Deflate": "smackbox.net.websocket_deflate",
    **dict.fromkeys(("UpgradeRejectedError", "WebSocketError", "WebSocketSettings"), "smackbox.net.websocket"),
    **dict.fromkeys(
        ("ClientRequest", "ClientResponse", "ClientSettings", "HttpClient", "TooManyRequestsError"), _HTTP + "client"
    ),
    **dict.fromkeys(("FileInfo", "UploadedFile", "file_upload", "file_upload_all", "form_field"), _HTTP + "forms"),
    **dict.fromkeys(
        (
            "StreamedFile",
            "store_uploaded_file",
            "store_uploaded_files",
            "streamed_file_upload",
            "streamed_file_upload_all",
        ),
        _HTTP + "uploads",
    ),
    **dict.fromkeys(("encode_response", "encode_response_with"), _HTTP + "encoding"),
    **dict.fromkeys(("get_from_directory", "get_from_file"), _HTTP + "files"),
    **dict.fromkeys(
        ("REMAINING", "path", "path_end", "path_end_or_single_slash", "path_prefix", "path_single_slash"),
        _HTTP + "paths",
    ),
    **dict.fromkeys(("Rejection", "RejectionHandler", "ValidationRejection"), _HTTP + "rejections"),
    **dict.fromkeys(
        ("Directive", "Route", "StreamedResponse", "complete", "concat", "redirect", "reject"), _HTTP + "route"
    ),
    **dict.fromkeys(("authenticate_basic", "authenticate_bearer", "cors"), _HTTP + "security"),
    **dict.fromkeys(("Http", "ServerBinding", "ServerSettings"), _HTTP + "server"),
    **dict.fromkeys(("ServerSentEvent", "complete_events"), _HTTP + "sse"),
}

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)
