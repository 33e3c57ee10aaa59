/* Names in bulk: ./names < LIST, or ./names NAME...; fifty questions at a time, the answers in the order
 * of the list. Who asks for "example.org mx" gets those records. */
#include <eddy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES 100000

static struct eddy_semaphore at_a_time = EDDY_SEMAPHORE_INIT(50);
static char *asked[NAMES], *answered[NAMES];

struct ask_args {
    size_t which;
};

static int ask_records(const char *name, unsigned type, char *out, size_t cap,
                       struct eddy_error *err)
{
    EDDY_AUTO(eddy_records) found = { 0 };
    size_t len = 0;

    int r = eddy_lookup(name, type, EDDY_OPT(lookup, .error = err), &found);
    for (size_t i = 0; r == 0 && i < found.count && len < cap; i++)
        len += (size_t)snprintf(out + len, cap - len, " %s", found.at[i].text);
    return r;
}

static int ask_addresses(const char *name, char *out, size_t cap, struct eddy_error *err)
{
    struct eddy_addresses found;
    char text[EDDY_ADDRESS_TEXT];
    size_t len = 0;

    int r = eddy_resolve(eddy_slice_of(name), 0, EDDY_OPT(resolve, .error = err), &found);
    for (size_t i = 0; r == 0 && i < found.count && len < cap; i++)
        len += (size_t)snprintf(out + len, cap - len, " %s",
                                eddy_address_format_ip(&found.at[i], text, sizeof text));
    return r;
}

static int ask(struct ask_args *a)
{
    EDDY_PERMITTED(turn, &at_a_time);
    struct eddy_error err = { 0 };
    char name[256], type[8] = "", out[1024] = "";

    if (turn < 0)
        return turn;
    if (sscanf(asked[a->which], "%255s %7s", name, type) < 1)
        return 0;
    EDDY_SCOPE(patience, .timeout_ms = 10000);
    int r = strcmp(type, "mx") == 0    ? ask_records(name, EDDY_DNS_MX, out, sizeof out, &err)
            : strcmp(type, "txt") == 0 ? ask_records(name, EDDY_DNS_TXT, out, sizeof out, &err)
                                       : ask_addresses(name, out, sizeof out, &err);
    if (asprintf(&answered[a->which], "%s:%s", asked[a->which], r < 0 ? " ?" : out) < 0)
        return -ENOMEM;
    if (r < 0)
        eddy_print_error("%s: %s\n", name, err.code ? err.text : eddy_strerror(r));
    return 0; /* a name that is not there is an answer */
}
EDDY_TASK(ask);

int main(int argc, char **argv)
{
    EDDY_AUTO(eddy_lines) in = eddy_lines(eddy_stdin(), NULL);
    EDDY_SCOPE(all, .timeout_ms = 0);
    size_t count = 0;

    for (; (int)count < argc - 1 && count < NAMES; count++)
        asked[count] = strdup(argv[count + 1]);
    while (argc < 2 && count < NAMES && eddy_lines_next(&in))
        if (asprintf(&asked[count], "%.*s", EDDY_SLICE_ARG(in.line)) >= 0)
            count++;
    for (size_t i = 0; i < count; i++)
        if (EDDY_GO(&all, ask, .which = i) < 0)
            break;
    int r = eddy_join(&all);
    for (size_t i = 0; i < count; i++) {
        if (answered[i])
            eddy_print("%s\n", answered[i]);
        free(asked[i]);
        free(answered[i]);
    }
    return r < 0;
}
