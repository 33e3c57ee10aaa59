/*
 * cli/main.c - the eddy command: which command is meant, and all help
 */
#include "cli/cli.h"

#include "serve/nearest.h"

#include <eddy/common.h>
#include <eddy/loop.h>

#include <stdio.h>
#include <string.h>

static int show_help(char **argv);

static const char help_eddy[] =
    "usage: eddy [--version] [--help] <command> [<arguments>]\n"
    "\n"
    "eddy is non-blocking I/O for C, from the system call to the web page.\n"
    "\n"
    "Commands:\n"
    "   run     Compile a C file and serve the application in it\n"
    "   help    Show this text, or what a command takes\n"
    "\n"
    "Options:\n"
    "   --version    Show the version\n"
    "   --help       Show this text\n"
    "\n"
    "`eddy help run` shows what `eddy run` takes.\n";

static const char help_run[] =
    "usage: eddy run [--host <host>] [--port <port>] [--backend <name>] <file>[:<name>]\n"
    "\n"
    "Compiles a C file and serves the application in it until Ctrl-C. The file needs no main();\n"
    "one that it has is not called. <name> is the application's, `app` unless given:\n"
    "\n"
    "    EDDY_APP(app, EDDY_ROUTES(routes));\n"
    "\n"
    "Options:\n"
    "   --host <host>       Address to listen on  [default: 127.0.0.1]\n"
    "   --port <port>       Port to listen on, 0 for any free one  [default: 8000]\n"
    "   --backend <name>    How to wait for events, one of: %s\n"
    "                       [default: $EDDY_BACKEND, or the first]\n"
    "   --help              Show this text\n"
    "\n"
    "Environment:\n"
    "   CC       The compiler, with options  [default: cc]\n"
    "   TMPDIR   Where the compiled object is kept meanwhile  [default: /tmp]\n"
    "\n"
    "Example:\n"
    "   eddy run hello.c --port 8080\n";

static const struct command {
    const char *name;
    int (*run)(char **argv);
    const char *help; /* NULL: hidden */
} commands[] = {
    { "run", cli_run, help_run },
    { "help", show_help, help_eddy },
    { "run-object", cli_run_object, NULL },
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print_help(const struct command *c)
{
    char names[128];
    size_t len = 0;

    if (c->help != help_run) {
        fputs(c->help, stdout);
        return;
    }
    /* The simulator is a backend, too, but serves nobody outside. */
    snprintf(names, sizeof names, "%s", eddy_backend_names());
    len = strlen(names);
    if (len > 4 && strcmp(names + len - 4, " sim") == 0)
        names[len - 4] = '\0';
    printf(help_run, names);
}

static int unknown_command(const char *name)
{
    const char *names[COMMANDS + 1] = { NULL };
    size_t count = 0;

    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i].help)
            names[count++] = commands[i].name;
    const char *near = eddy__nearest(name, names);
    return cli_usage(NULL, "there is no command `%s`%s%s%s", name, near ? "; did you mean `" : "",
                     near ? near : "", near ? "`?" : "");
}

static int show_help(char **argv)
{
    const struct command *c = argv[0] ? find(argv[0]) : find("help");

    if (!c || !c->help)
        return unknown_command(argv[0]);
    print_help(c);
    return CLI_OK;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int unknown_option(const char *word)
{
    static const char *const names[] = { "--version", "--help", NULL };
    const char *near = eddy__nearest(word, names);

    return cli_usage(NULL, "there is no option `%s`%s%s%s", word, near ? "; did you mean `" : "",
                     near ? near : "", near ? "`?" : "");
}

/* Anywhere before "--": people add --help to what they have typed so far. */
static bool asks_for_help(char **argv)
{
    for (; *argv && strcmp(*argv, "--") != 0; argv++)
        if (is_help(*argv))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs(help_eddy, stdout);
        return CLI_FAILED;
    }
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        puts("eddy " EDDY_VERSION);
        return CLI_OK;
    }
    if (is_help(word))
        return show_help(argv + 2);
    if (word[0] == '-')
        return unknown_option(word);

    const struct command *c = find(word);
    if (!c)
        return unknown_command(word);
    if (c->help && asks_for_help(argv + 2)) {
        print_help(c);
        return CLI_OK;
    }
    return c->run(argv + 2);
}
