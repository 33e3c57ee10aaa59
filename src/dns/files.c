/*
 * dns/files.c - what the system's files say of names: when they changed, and what stands in them
 *
 * They are small and on a local disk, so they are read where they are asked for, as every program's
 * resolver does: a look at the times of each at most once a second.
 */
#include "base/memory.h"
#include "base/sys.h"
#include "dns/room.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

static void look(const char *path, struct dns_stamp *ret)
{
    *ret = (struct dns_stamp){ .exists = false };
#ifdef __linux__
    struct statx st;
    if (eddy__sys.stat(AT_FDCWD, path, 0, &st) < 0)
        return;
    *ret = (struct dns_stamp){ .exists = true,
                               .inode = st.stx_ino,
                               .size = st.stx_size,
                               .mtime_ns = st.stx_mtime.tv_sec * INT64_C(1000000000) +
                                           (int64_t)st.stx_mtime.tv_nsec };
#else
    struct stat st;
    if (stat(path, &st) < 0)
        return;
    *ret = (struct dns_stamp){ .exists = true,
                               .inode = (uint64_t)st.st_ino,
                               .size = (uint64_t)st.st_size,
                               .mtime_ns = (int64_t)st.st_mtime * 1000000000 };
#endif
}

bool dns_file_changed(struct dns_file *f)
{
    struct dns_stamp now;

    look(f->path, &now);
    bool changed = now.exists != f->stamp.exists || now.inode != f->stamp.inode ||
                   now.size != f->stamp.size || now.mtime_ns != f->stamp.mtime_ns;
    f->stamp = now;
    return changed;
}

static int read_all(int fd, char *text, size_t cap, size_t *ret_len)
{
    size_t len = 0;

    while (len < cap) {
        ssize_t n = eddy__sys.read(fd, text + len, cap - len);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_len = len;
    return 0;
}

int dns_file_read(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
    struct dns_stamp stamp;
    size_t len = 0;

    look(path, &stamp);
    if (!stamp.exists)
        return -ENOENT;
    if (stamp.size > max)
        return -EFBIG;
    size_t cap = (size_t)stamp.size +
                 4096; /* it may grow meanwhile; what is over is read next time */
    int fd = eddy__sys.open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    char *text = eddy__alloc(cap + 1);
    int r = text ? read_all(fd, text, cap, &len) : -ENOMEM;
    eddy__sys.close(fd);
    char *shrunk = r == 0 ? eddy__resize(text, cap + 1, len + 1) : NULL;
    if (!shrunk) {
        eddy__free(text, cap + 1);
        return r < 0 ? r : -ENOMEM;
    }
    shrunk[len] = '\0';
    *ret_text = shrunk;
    *ret_len = len;
    return 0;
}

/* --- nsswitch.conf --------------------------------------------------------------------------- */

/* The next word of a line, brackets with all that is in them as one; false at its end. */
static bool word_of(const char **at, const char **ret_word, size_t *ret_len)
{
    const char *p = *at;

    while (*p == ' ' || *p == '\t')
        p++;
    if (!*p || *p == '\n' || *p == '#')
        return false;
    *ret_word = p;
    if (*p == '[')
        while (*p && *p != '\n' && *p != ']')
            p++;
    if (*p == ']')
        p++;
    else
        while (*p && !strchr(" \t\n#[", *p))
            p++;
    *ret_len = (size_t)(p - *ret_word);
    *at = p;
    return true;
}

static void read_sources(const char *line, struct dns_sources *to)
{
    const char *word;
    size_t len;

    while (word_of(&line, &word, &len)) {
        if (len == 5 && strncmp(word, "files", 5) == 0) {
            to->files = true;
        } else if (len == 3 && strncmp(word, "dns", 3) == 0) {
            to->servers = true;
            to->servers_first |= !to->files;
        } else if (!to->system) { /* another source, or an action in brackets */
            to->system = true;
            snprintf(to->word, sizeof to->word, "%.*s", len < 31 ? (int)len : 31, word);
        }
    }
}

void dns_sources_parse(const char *text, struct dns_sources *ret)
{
    *ret = (struct dns_sources){ .files = false };
    for (const char *line = text; line; line = strchr(line, '\n')) {
        while (isspace((unsigned char)*line))
            line++;
        if (strncasecmp(line, "hosts:", 6) == 0) {
            read_sources(line + 6, ret);
            break;
        }
    }
    if (!ret->files && !ret->servers && !ret->system)
        ret->files = ret->servers = true; /* as glibc does without a line */
}

/* --- resolv.conf ----------------------------------------------------------------------------- */

static long number_behind(const char *word, size_t len, const char *name)
{
    size_t n = strlen(name);

    if (len <= n || strncmp(word, name, n) != 0)
        return 0;
    long value = strtol(word + n, NULL, 10);
    return value > 0 ? value : 0;
}

void dns_resolv_options(const char *text, int64_t *ret_timeout_ms, unsigned *ret_tries)
{
    const char *word;
    size_t len;

    *ret_timeout_ms = 0;
    *ret_tries = 0;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        while (isspace((unsigned char)*line))
            line++;
        if (strncmp(line, "options", 7) != 0 || !isspace((unsigned char)line[7]))
            continue;
        const char *at = line + 7;
        while (word_of(&at, &word, &len)) {
            long timeout = number_behind(word, len, "timeout:");
            long tries = number_behind(word, len, "attempts:");
            if (timeout)
                *ret_timeout_ms = (timeout < 30 ? timeout : 30) *
                                  1000; /* resolv.conf(5)'s bounds */
            if (tries)
                *ret_tries = (unsigned)(tries < 5 ? tries : 5);
        }
    }
}
