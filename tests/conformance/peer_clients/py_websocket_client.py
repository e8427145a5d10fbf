"""Python `websocket-client`, blocking; frame by frame where the check needs it. No compression."""

import struct

import common
import websocket
from common import held
from websocket import ABNF


def receive(ws):
    opcode, data = ws.recv_data()
    if opcode == ABNF.OPCODE_TEXT:
        return data.decode()
    if opcode == ABNF.OPCODE_BINARY:
        return bytes(data)
    raise SystemExit(f"expected a message, received opcode {opcode}")


def echo(ws, check, message):
    if isinstance(message, str):
        ws.send(message)
    else:
        ws.send_binary(message)
    held(check, message, receive(ws))


def fragments(ws, opcode, parts, between=None):
    for n, part in enumerate(parts):
        last = n + 1 == len(parts)
        kind = opcode if n == 0 else ABNF.OPCODE_CONT
        ws.send_frame(ABNF(fin=int(last), opcode=kind, mask_value=1, data=part))
        if between is not None and not last:
            ws.ping(between)


def expect_pong(ws, check, payload):
    opcode, frame = ws.recv_data_frame(control_frame=True)
    held(check, (ABNF.OPCODE_PONG, payload), (opcode, bytes(frame.data)))


def main():
    url, _ = common.arguments()
    ws = websocket.create_connection(url, timeout=30)
    common.negotiated(ws.getheaders().get("sec-websocket-extensions"))
    echo(ws, "empty text", "")
    echo(ws, "empty binary", b"")
    echo(ws, "empty text again", "")
    echo(ws, "unicode text", common.TEXT)
    for size in common.SIZES:
        echo(ws, f"text {size}", common.text(size))
        echo(ws, f"binary {size}", common.binary(size))

    for payload in (b"", b"tick", common.binary(125)):
        ws.ping(payload)
        expect_pong(ws, f"ping {len(payload)}", payload)

    fragments(ws, ABNF.OPCODE_TEXT, common.TEXT_PARTS)
    held("fragmented text", common.TEXT, receive(ws))
    blob = common.binary(70_000)
    parts = [blob[:1], blob[1:126], b"", blob[126:]]
    fragments(ws, ABNF.OPCODE_BINARY, parts)
    held("fragmented binary", blob, receive(ws))
    # A control frame between fragments is answered at once, ahead of the message.
    fragments(ws, ABNF.OPCODE_TEXT, common.TEXT_PARTS, between=b"inside")
    for _ in common.TEXT_PARTS[1:]:
        expect_pong(ws, "ping inside a message", b"inside")
    held("message around pings", common.TEXT, receive(ws))

    for n in range(common.BURST):
        ws.send_binary(common.binary(n % 200))
    for n in range(common.BURST):
        received = receive(ws)
        if received != common.binary(n % 200):
            raise SystemExit(f"burst: message {n} came back as {common.brief(received)}")
    print("ok burst", flush=True)

    ws.send_close(common.CLOSE_CODE, common.CLOSE_REASON.encode())
    opcode, frame = ws.recv_data_frame(control_frame=True)
    held("close opcode", ABNF.OPCODE_CLOSE, opcode)
    held("close code", common.CLOSE_CODE, struct.unpack("!H", frame.data[:2])[0])
    held("close reason", common.CLOSE_REASON.encode(), bytes(frame.data[2:]))
    # RFC 6455 section 7.1.1: the server closes the TCP connection first.
    held("end of stream", b"", ws.sock.recv(1))


main()
