"""Python `aiohttp` client. Its API sends no fragments and does not show the reason of a Close."""

import asyncio

import common
from aiohttp import ClientSession, WSMsgType
from common import held


async def receive(ws):
    message = await ws.receive(timeout=30)
    if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
        raise SystemExit(f"expected a message, received {message!r}")
    return message.data


async def main():
    url, deflate = common.arguments()
    async with ClientSession() as session, session.ws_connect(
            url, compress=15 if deflate else 0, autoping=False, max_msg_size=0) as ws:
        common.negotiated("permessage-deflate" if ws.compress else None)
        for check, message in (("empty text", ""), ("empty text again", ""),
                               ("unicode text", common.TEXT),
                               *((f"text {size}", common.text(size)) for size in common.SIZES)):
            await ws.send_str(message)
            held(check, message, await receive(ws))
        for check, message in (("empty binary", b""),
                               *((f"binary {size}", common.binary(size))
                                 for size in common.SIZES)):
            await ws.send_bytes(message)
            held(check, message, await receive(ws))

        for payload in (b"", b"tick", common.binary(125)):
            await ws.ping(payload)
            pong = await ws.receive(timeout=30)
            held(f"ping {len(payload)}", (WSMsgType.PONG, payload), (pong.type, bytes(pong.data)))

        for n in range(common.BURST):
            await ws.send_bytes(common.binary(n % 200))
        for n in range(common.BURST):
            received = await receive(ws)
            if received != common.binary(n % 200):
                raise SystemExit(f"burst: message {n} came back as {common.brief(received)}")
        print("ok burst", flush=True)

        await ws.close(code=common.CLOSE_CODE, message=common.CLOSE_REASON.encode())
        held("close code", common.CLOSE_CODE, ws.close_code)


asyncio.run(main())
