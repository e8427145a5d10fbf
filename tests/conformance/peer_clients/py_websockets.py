"""Python `websockets`, asyncio client."""

import asyncio

import common
from common import held
from websockets.asyncio.client import connect


async def echo(ws, check, message):
    await ws.send(message)
    held(check, message, await ws.recv())


async def main():
    url, deflate = common.arguments()
    async with connect(url, compression="deflate" if deflate else None, proxy=None,
                       max_size=None, max_queue=None) as ws:
        common.negotiated(ws.response.headers.get("Sec-WebSocket-Extensions"))
        await echo(ws, "empty text", "")
        await echo(ws, "empty binary", b"")
        await echo(ws, "empty text again", "")
        await echo(ws, "unicode text", common.TEXT)
        for size in common.SIZES:
            await echo(ws, f"text {size}", common.text(size))
            await echo(ws, f"binary {size}", common.binary(size))

        for payload in (b"", b"tick", common.binary(125)):
            await asyncio.wait_for(await ws.ping(payload), 10)
            print(f"ok ping {len(payload)}", flush=True)

        # An iterable goes out as one message in fragments; this API cuts text only between
        # characters.
        parts = ["", common.TEXT[:3], common.TEXT[3:], ""]
        await ws.send(iter(parts))
        held("fragmented text", common.TEXT, await ws.recv())
        blob = common.binary(70_000)
        await ws.send(iter([blob[:1], blob[1:126], b"", blob[126:]]))
        held("fragmented binary", blob, await ws.recv())

        for n in range(common.BURST):
            await ws.send(common.binary(n % 200))
        for n in range(common.BURST):
            received = await ws.recv()
            if received != common.binary(n % 200):
                raise SystemExit(f"burst: message {n} came back as {common.brief(received)}")
        print("ok burst", flush=True)

        await ws.close(common.CLOSE_CODE, common.CLOSE_REASON)
        held("close code", common.CLOSE_CODE, int(ws.protocol.close_rcvd.code))
        held("close reason", common.CLOSE_REASON, ws.protocol.close_rcvd.reason)


asyncio.run(main())
