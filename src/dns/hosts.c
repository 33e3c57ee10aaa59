/*
 * dns/hosts.c - the hosts file as a table: names to addresses
 *
 * A row for each name of each line, sorted by a hash of the name and then as they stand in the
 * file, whose order is that of the answer. In a file that blocks a hundred thousand names one is
 * found as fast as in one of two lines.
 */
#include "base/memory.h"
#include "dns/room.h"

#include <netinet/in.h>
#include <stdlib.h>

struct row {
    uint32_t hash;
    uint32_t name; /* where it begins in text */
    struct dns_ip ip;
};

struct dns_hosts {
    char *text; /* names, lower case, each terminated */
    size_t text_size;
    size_t count, cap;
    struct row *rows;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static uint32_t hash_of(const char *name)
{
    uint32_t h = 2166136261U;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619U;
    return h;
}

static int add(struct dns_hosts *h, const char *name, const struct dns_ip *ip)
{
    if (h->count == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 16;
        struct row *rows = eddy__resize(h->rows, h->cap * sizeof *rows, cap * sizeof *rows);
        if (!rows)
            return -ENOMEM;
        h->rows = rows;
        h->cap = cap;
    }
    h->rows[h->count++] = (struct row){ hash_of(name), (uint32_t)(name - h->text), *ip };
    return 0;
}

/* One line, in place: its words are terminated. */
static int read_line(struct dns_hosts *h, char *line)
{
    struct eddy_address address;
    struct dns_ip ip;
    unsigned words = 0;

    line[strcspn(line, "#")] = '\0';
    for (char *p = line; *p;) {
        while (is_blank(*p))
            p++;
        char *word = p;
        while (*p && !is_blank(*p))
            p++;
        if (p == word)
            break;
        if (*p)
            *p++ = '\0';
        if (words++ == 0) {
            if (eddy_address_of_ip(eddy_slice_of(word), 0, &address) != 0)
                return 0; /* not an address: not our line */
            dns_ip_of_sockaddr((const struct sockaddr *)&address.storage, &ip);
            continue;
        }
        size_t len = strlen(word);
        if (word[len - 1] == '.')
            word[len - 1] = '\0';
        for (char *c = word; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c | 0x20);
        int r = add(h, word, &ip);
        if (r < 0)
            return r;
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

int dns_hosts_parse(const char *text, size_t len, struct dns_hosts **ret_hosts)
{
    struct dns_hosts *h = eddy__zalloc(sizeof *h);
    int r = 0;

    if (!h)
        return -ENOMEM;
    h->text_size = len + 1;
    h->text = eddy__alloc(len + 1);
    if (!h->text) {
        dns_hosts_free(h);
        return -ENOMEM;
    }
    memcpy(h->text, text, len);
    h->text[len] = '\0';
    for (char *line = h->text, *end = h->text + len; line < end && r == 0;) {
        char *eol = memchr(line, '\n', (size_t)(end - line));
        if (eol)
            *eol = '\0';
        char *after = eol ? eol + 1 : end;
        r = read_line(h, line);
        line = after;
    }
    if (r < 0) {
        dns_hosts_free(h);
        return r;
    }
    if (h->count > 1)
        qsort(h->rows, h->count, sizeof *h->rows, compare);
    *ret_hosts = h;
    return 0;
}

void dns_hosts_free(struct dns_hosts *h)
{
    if (!h)
        return;
    eddy__free(h->rows, h->cap * sizeof *h->rows);
    eddy__free(h->text, h->text_size);
    eddy__free(h, sizeof *h);
}

static bool is_in(const struct dns_ips *ips, const struct dns_ip *ip)
{
    for (size_t i = 0; i < ips->count; i++)
        if (dns_ip_eq(&ips->at[i], ip))
            return true;
    return false;
}

int dns_hosts_find(const struct dns_hosts *h, const char *name, int family, struct dns_ips *ret)
{
    const uint32_t hash = hash_of(name);
    size_t low = 0, high = h ? h->count : 0;

    ret->count = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (h->rows[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; h && low < h->count && h->rows[low].hash == hash; low++) {
        const struct row *row = &h->rows[low];
        if (strcmp(h->text + row->name, name) != 0 || (family && row->ip.family != family) ||
            ret->count == EDDY_ADDRESSES_MAX || is_in(ret, &row->ip))
            continue;
        ret->at[ret->count++] = row->ip;
    }
    return (int)ret->count;
}
