// The echo server that `compare --against` measures for uWebSockets: see benches/README.md.
//
// Without TLS, compression and idle timeout: the load generator sends neither TLS nor Pongs.

#include "App.h"

#include <cstdio>
#include <cstdlib>

struct NoData {};

int main(int count, char **arguments) {
    int port = count > 1 ? std::atoi(arguments[1]) : 9001;
    uWS::App::WebSocketBehavior<NoData> echo;
    echo.compression = uWS::DISABLED;
    // The largest payload of `compare`, in bytes.
    echo.maxPayloadLength = 16 * 1024 * 1024;
    // Largest window in flight of `compare`, in bytes; beyond it uWebSockets drops messages.
    echo.maxBackpressure = 256 * 1024 * 1024;
    echo.idleTimeout = 0;
    echo.sendPingsAutomatically = false;
    echo.message = [](auto *socket, std::string_view message, uWS::OpCode opcode) {
        socket->send(message, opcode);
    };
    uWS::App()
        .ws<NoData>("/*", std::move(echo))
        .listen("127.0.0.1", port, [port](auto *listening) {
            if (!listening) {
                std::fprintf(stderr, "cannot listen on port %d\n", port);
                std::exit(1);
            }
        })
        .run();
}
