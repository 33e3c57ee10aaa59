/*
 * refusal_test.c - calls of sockets, names and files, when no loop can be made, say why
 */
#include "check.h"

#include <eddy/dns.h>
#include <eddy/file.h>
#include <eddy/net.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void eddy_check_teardown(void)
{
    (void)unsetenv("EDDY_BACKEND");
}

EDDY_TEST(an_unknown_backend_comes_out_of_every_call)
{
    struct eddy_addresses found;
    struct eddy_listener *door = NULL;
    struct eddy_stream *s = NULL, *other = NULL;
    struct eddy_file *f = NULL;
    struct eddy_error err = { 0 };

    if (setenv("EDDY_BACKEND", "nonsense", 1) < 0)
        abort();
    EDDY_CHECK_ERR(eddy_listen("127.0.0.1:0", EDDY_OPT(listen, .error = &err), &door),
                   -EDDY_EBACKEND);
    EDDY_CHECK(strstr(err.text, eddy_strerror(-EDDY_EBACKEND)) != NULL);
    EDDY_CHECK_ERR(eddy_connect("127.0.0.1:1", EDDY_OPT(connect, .error = &err), &s),
                   -EDDY_EBACKEND);
    EDDY_CHECK_STR(err.text, "cannot connect to 127.0.0.1:1: no such backend, or not available "
                             "here: see EDDY_BACKEND");
    EDDY_CHECK_ERR(eddy_resolve(EDDY_SLICE("localhost"), 80, NULL, &found), -EDDY_EBACKEND);
    EDDY_CHECK_ERR(eddy_stream_pair(&s, &other), -EDDY_EBACKEND);
    EDDY_CHECK_ERR(eddy_file_open("/dev/null", O_RDONLY, 0, &f), -EDDY_EBACKEND);
}
