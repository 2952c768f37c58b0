"""A provider for measurements: answers at once, or streams at a steady pace, in a process of its own."""

import asyncio
import json
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(delta: dict[str, str], reason: str | None = None) -> bytes:
    """One chunk of the open platform's stream, about 0.3 KB."""
    choice = {"index": 0, "delta": delta} if reason is None else {"index": 0, "delta": delta, "finish_reason": reason}
    body = {"id": "20261121093000f3a9c1d27e5b8046", "created": 1795200000, "model": "glm-4.6", "choices": [choice]}
    if reason is not None:
        body["usage"] = {"prompt_tokens": 30, "completion_tokens": 200, "total_tokens": 230}
    data = b"data: " + json.dumps(body).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


CONTENT = event({"role": "assistant", "content": "some words of the answer, "})
END = event({"role": "assistant", "content": ""}, "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
WHOLE = HEAD + event({"content": "a kilobyte of text " * 50}) + END


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chunks: int, pause: float) -> None:
    """Answer every request on a connection. One for model glm-4.5 is streamed slowly, any other at once."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            if b'"glm-4.5"' not in body:
                writer.write(WHOLE)
                continue
            writer.write(HEAD)
            for _ in range(chunks):
                if writer.is_closing():
                    return
                writer.write(CONTENT)
                await asyncio.sleep(pause)
            writer.write(END)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(chunks: int, pause: float) -> None:
    """Print the port, then serve until the end of the process."""
    server = await asyncio.start_server(lambda r, w: serve(r, w, chunks, pause), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
