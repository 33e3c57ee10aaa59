/* tail -f of many files: ./tail FILE... A task for each, which waits until the kernel says that it was
 * written to; a file that was cut short is read from its start again. Ctrl-C ends it. */
#include <eddy.h>
#include <stdio.h>

struct follow_args {
    const char *path;
};

/* Print what is there from @*at on. */
static int print_more(struct eddy_file *f, const char *path, int64_t *at)
{
    char buf[16384];
    ssize_t n;

    int64_t size = eddy_file_size(f);
    if (size < 0)
        return (int)size;
    if (size < *at) {
        int r = eddy_print("%s: was cut short\n", path);
        if (r < 0)
            return r;
        *at = 0;
    }
    while ((n = eddy_file_read(f, buf, sizeof buf, *at)) > 0) {
        int r = eddy_print("==> %s\n%.*s", path, (int)n, buf);
        if (r < 0)
            return r;
        *at += n;
    }
    return (int)n;
}

static int follow(struct follow_args *a)
{
    EDDY_OWN(eddy_changes) changes = NULL;
    EDDY_OWN(eddy_file) f = NULL;
    struct eddy_change change = { .what = 0 };

    int r = eddy_changes_open(&changes);
    if (r == 0) /* first, so that nothing is missed between the two */
        r = eddy_changes_add(changes, a->path, EDDY_CHANGE_MODIFIED, NULL);
    if (r == 0)
        r = eddy_file_open(a->path, O_RDONLY, 0, &f);
    int64_t at = r == 0 ? eddy_file_size(f) : 0;
    at = at > 1000 ? at - 1000 : 0;
    while (r == 0 && change.what != EDDY_CHANGE_GONE) {
        r = print_more(f, a->path, &at);
        if (r == 0)
            r = eddy_changes_next(changes, &change);
    }
    if (r < 0 && r != -ECANCELED)
        eddy_print_error("tail: %s: %s\n", a->path, eddy_strerror(r));
    return r;
}
EDDY_TASK(follow);

static int follow_all(char **paths, size_t *failures)
{
    EDDY_SCOPE(all, .isolate = true); /* one that cannot be read is not the others' affair */

    for (; *paths; paths++) {
        int r = EDDY_GO(&all, follow, .path = *paths);
        if (r < 0)
            return r;
    }
    int r = eddy_join(&all);
    *failures = eddy_scope_failures(&all);
    return r;
}

int main(int argc, char **argv)
{
    size_t failures = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: tail FILE...\n");
        return 2;
    }
    return follow_all(argv + 1, &failures) < 0 || failures > 0;
}
