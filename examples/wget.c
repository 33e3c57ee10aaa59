/* A parallel wget: ./wget URL... writes each to a file of its last name, four at a time. A file is
 * complete or not there: it takes its name when all of it is on the disk. */
#include <eddy.h>
#include <stdio.h>
#include <string.h>

static struct eddy_semaphore at_a_time = EDDY_SEMAPHORE_INIT(4);

struct get_args {
    const char *url;
};

static const char *name_of(const char *url)
{
    const char *slash = strrchr(url, '/');

    return slash && slash[1] && slash[-1] != '/' ? slash + 1 : "index.html";
}

static int get(struct get_args *a)
{
    EDDY_PERMITTED(turn, &at_a_time);
    EDDY_AUTO(eddy_response) page = { 0 };
    struct eddy_error err = { 0 };
    int64_t start = eddy_now_ns();

    if (turn < 0)
        return turn;
    int r = eddy_fetch(a->url, EDDY_OPT(fetch, .timeout_ms = 60000, .error = &err), &page);
    if (r < 0) {
        eddy_print_error("%s: %s\n", a->url, err.text);
        return r;
    }
    if (page.status != 200) {
        eddy_print_error("%s: status %d\n", a->url, page.status);
        return -EBADMSG;
    }
    r = eddy_file_replace(name_of(a->url), page.body.ptr, page.body.len,
                          EDDY_OPT(replace, .error = &err));
    if (r < 0)
        eddy_print_error("%s: %s\n", a->url, err.text);
    else
        eddy_print("%s: %zu bytes in %lld ms\n", name_of(a->url), page.body.len,
                   (long long)((eddy_now_ns() - start) / 1000000));
    return r;
}
EDDY_TASK(get);

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: wget URL...\n");
        return 2;
    }
    EDDY_SCOPE(all, .isolate = true);
    for (int i = 1; i < argc; i++)
        EDDY_GO(&all, get, .url = argv[i]);
    eddy_join(&all);
    return eddy_scope_failures(&all) > 0;
}
