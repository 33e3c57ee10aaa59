/* pkg-config: eddy-serve */
/*
 * An application, compiled as a user would with C11 and warnings as errors, against an installed
 * copy: its table is judged by the library, and everything that would serve it is linked.
 */
#include <eddy/error.h>
#include <eddy/serve.h>
#include <eddy/web.h>

#include <stdio.h>

static int hello(struct eddy_request *req, struct eddy_reply *reply)
{
    (void)req;
    return eddy_reply_printf(reply, "hello\n");
}

static const struct eddy_route routes[] = {
    EDDY_GET("/", hello),
};

EDDY_APP(app, EDDY_ROUTES(routes));

int main(int argc, char **argv)
{
    struct eddy_error err = { 0 };

    int r = eddy_app_check(&app, &err);
    if (r < 0) {
        printf("%s\n", err.text);
        return 1;
    }

    /* Not in the test: it would serve for ever. */
    return argc > 1 && argv ? eddy_serve(&app, NULL) : 0;
}
