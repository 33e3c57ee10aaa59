/*
 * eddy.h - all of eddy
 *
 * A page that fetches another page is `#include <eddy.h>`; a program that wants only a poller
 * includes <eddy/poller.h> and links libeddy alone.
 */
#ifndef EDDY_H
#define EDDY_H

#include <eddy/address.h>
#include <eddy/arena.h>
#include <eddy/buffer.h>
#include <eddy/changes.h>
#include <eddy/channel.h>
#include <eddy/command.h>
#include <eddy/common.h>
#include <eddy/descriptor.h>
#include <eddy/directory.h>
#include <eddy/dns.h>
#include <eddy/error.h>
#include <eddy/event.h>
#include <eddy/fetch.h>
#include <eddy/file.h>
#include <eddy/framed.h>
#include <eddy/frames.h>
#include <eddy/framing.h>
#include <eddy/future.h>
#include <eddy/generator.h>
#include <eddy/http.h>
#include <eddy/http_types.h>
#include <eddy/inspect.h>
#include <eddy/json.h>
#include <eddy/keys.h>
#include <eddy/line.h>
#include <eddy/local.h>
#include <eddy/lock.h>
#include <eddy/log.h>
#include <eddy/loop.h>
#include <eddy/memory.h>
#include <eddy/net.h>
#include <eddy/path.h>
#include <eddy/poller.h>
#include <eddy/process.h>
#include <eddy/proxy.h>
#include <eddy/queue.h>
#include <eddy/serial.h>
#include <eddy/serve.h>
#include <eddy/signal.h>
#include <eddy/sim.h>
#include <eddy/slice.h>
#include <eddy/stdio.h>
#include <eddy/stream.h>
#include <eddy/task.h>
#include <eddy/terminal.h>
#include <eddy/thread.h>
#include <eddy/tls.h>
#include <eddy/tls_connect.h>
#include <eddy/tls_info.h>
#include <eddy/transfer.h>
#include <eddy/transport.h>
#include <eddy/udp.h>
#include <eddy/unix.h>
#include <eddy/url.h>
#include <eddy/watch.h>
#include <eddy/web.h>
#include <eddy/whole_file.h>

#endif
