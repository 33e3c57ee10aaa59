/*
 * cli/object.c - the child of `eddy run`: load what was compiled, find the application, serve it
 */
#include "cli/cli.h"

#include <eddy/serve.h>
#include <eddy/web.h>

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

static int no_application(const char *source, const char *name)
{
    fprintf(stderr,
            "eddy run: %s has no application called `%s`. Add this line behind its routes:\n"
            "\n"
            "    EDDY_APP(%s, EDDY_ROUTES(routes));\n"
            "\n"
            "or name the one it has: eddy run %s:<name>\n",
            source, name, name, source);
    return CLI_FAILED;
}

/* Whether the symbol is data of an application's size, and says the same of itself. Without the
 * look at its kind, a function of that name would be read as one. */
static bool is_application(void *symbol)
{
    Dl_info info;
    ElfW(Sym) *entry = NULL;

    if (!dladdr1(symbol, &info, (void **)&entry, RTLD_DL_SYMENT) || !entry)
        return false;
    const struct eddy_app *app = symbol;
    return ELF64_ST_TYPE(entry->st_info) == STT_OBJECT && entry->st_size >= sizeof *app &&
           app->size == sizeof *app && app->route_size == sizeof(struct eddy_route);
}

int cli_run_object(char **argv)
{
    for (int i = 0; i < 6; i++)
        if (!argv[i])
            return cli_usage(NULL, "run-object is for `eddy run` alone");
    const char *object = argv[0], *name = argv[1], *source = argv[2];
    const char *host = argv[3], *port = argv[4], *backend = argv[5];

    void *loaded = dlopen(object, RTLD_NOW | RTLD_LOCAL);
    if (!loaded)
        return cli_fail("run", "%s cannot be loaded: %s", source, dlerror());
    void *symbol = dlsym(loaded, name);
    if (!symbol)
        return no_application(source, name);
    if (!is_application(symbol))
        return cli_fail("run", "`%s` in %s is not an application made by EDDY_APP", name, source);

    /* On the command line 0 means any free port; in the options 0 means the default. */
    int number = *port ? (int)strtol(port, NULL, 10) : 0;
    int r = eddy_serve(symbol, EDDY_OPT(serve, .host = *host ? host : NULL,
                                        .port = *port && number == 0 ? -1 : number,
                                        .backend = *backend ? backend : NULL));
    /* Not unloaded: what it left to run at exit still needs its code. */
    return r < 0 ? CLI_FAILED : CLI_OK;
}
