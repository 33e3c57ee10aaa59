/* The smallest application: `eddy run examples/hello.c`, or build/bin/examples/hello. */
#include <eddy.h>

static int hello(struct eddy_request *req, struct eddy_reply *reply)
{
    (void)req;
    return eddy_reply_text(reply, "Hello from a small eddy.\n");
}

static const struct eddy_route routes[] = {
    EDDY_GET("/", hello),
};

EDDY_APP(app, EDDY_ROUTES(routes));

int main(void)
{
    return eddy_serve(&app, NULL) < 0; /* `eddy run` serves app itself, and does not call this */
}
