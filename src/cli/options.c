/*
 * cli/options.c - a command line, taken apart by a table; and how mistakes are told
 */
#include "cli/cli.h"

#include "serve/nearest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void say(const char *command, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void say(const char *command, const char *format, va_list args)
{
    char line[1024];

    vsnprintf(line, sizeof line, format, args);
    fprintf(stderr, "eddy%s%s: %s\n", command ? " " : "", command ? command : "", line);
}

int cli_usage(const char *command, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(command, format, args);
    va_end(args);
    if (command)
        fprintf(stderr, "`eddy help %s` shows what it takes.\n", command);
    else
        fputs("`eddy help` lists the commands.\n", stderr);
    return CLI_USAGE;
}

int cli_fail(const char *command, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(command, format, args);
    va_end(args);
    return CLI_FAILED;
}

static int unknown(const char *command, const char *word, size_t len,
                   const struct cli_option *table)
{
    const char *names[16] = { NULL };
    char name[64];
    size_t count = 0;

    snprintf(name, sizeof name, "%.*s", (int)(len < 60 ? len : 60), word);
    for (const struct cli_option *o = table; o->name && count < 14; o++)
        names[count++] = o->name;
    names[count] = "--help";
    const char *near = eddy__nearest(name, names);
    return cli_usage(command, "there is no option `%s`%s%s%s", name, near ? "; did you mean `" : "",
                     near ? near : "", near ? "`?" : "");
}

/* One option, at *@argv. Moves *@argv to its last word. */
static int take_option(const char *command, char ***argv, const struct cli_option *table)
{
    const char *word = **argv;
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct cli_option *o = table;

    while (o->name && (strlen(o->name) != len || strncmp(o->name, word, len) != 0))
        o++;
    if (!o->name)
        return unknown(command, word, len, table);
    if (o->given)
        *o->given = true;
    if (!o->value)
        return equals ? cli_usage(command, "%s takes no value", o->name) : 0;
    if (equals) {
        *o->value = equals + 1;
    } else {
        if (!(*argv)[1])
            return cli_usage(command, "%s needs a value behind it", o->name);
        *o->value = *++*argv;
    }
    if (!**o->value)
        return cli_usage(command, "%s needs a value that is not empty", o->name);
    return 0;
}

int cli_options(const char *command, char **argv, const struct cli_option *table,
                const char **words, size_t cap)
{
    bool options = true;
    size_t count = 0;

    for (; *argv; argv++) {
        if (options && strcmp(*argv, "--") == 0) {
            options = false;
        } else if (options && (*argv)[0] == '-' && (*argv)[1]) {
            int r = take_option(command, &argv, table);
            if (r != 0)
                return r;
        } else if (count == cap) {
            return cli_usage(command, "one word too many: `%s`", *argv);
        } else {
            words[count++] = *argv;
        }
    }
    return 0;
}
