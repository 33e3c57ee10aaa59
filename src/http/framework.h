/*
 * http/framework.h - what the framework above asks of the server, beside eddy/http.h
 */
#ifndef EDDY_HTTP_FRAMEWORK_H
#define EDDY_HTTP_FRAMEWORK_H

#include <eddy/http.h>

/* As eddy_http_serve(); @owned (a router) goes with the server: @free_owned(@owned) is called when
 * it is freed. Not on failure. */
EDDY_PRIVATE int eddy__http_serve_owned(struct eddy_listener *listener, eddy_handler_fn *handler,
                                        const struct eddy_http_options *options, void *owned,
                                        void (*free_owned)(void *owned),
                                        struct eddy_http_server **ret);

/* The server's @owned. */
EDDY_PRIVATE void *eddy__request_owned(const struct eddy_request *req);

/* As eddy_reply_header(), for a name and a value known to be good and not the server's own. */
EDDY_PRIVATE int eddy__reply_field(struct eddy_reply *reply, struct eddy_slice name,
                                   struct eddy_slice value);

#endif
