/*
 * tls/names.c - which certificate is for a name: a sorted table, made at each reading of files
 */
#include "tls/context.h"

#include "base/memory.h"

#include <openssl/x509v3.h>

#include <stdlib.h>

#define NAME_MAX_LEN 255

static char small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int add(struct tls_identity *id, size_t at, const char *name, size_t len)
{
    if (len == 0 || len > NAME_MAX_LEN || memchr(name, '\0', len))
        return 0; /* nobody can ask for that */
    if (id->name_count == id->name_cap) {
        size_t cap = id->name_cap ? id->name_cap * 2 : 8;
        struct tls_name *more = eddy__resize(id->names, id->name_cap * sizeof *more,
                                             cap * sizeof *more);
        if (!more)
            return -ENOMEM;
        id->names = more;
        id->name_cap = cap;
    }
    char *text = eddy__alloc(len + 1);
    if (!text)
        return -ENOMEM;
    for (size_t i = 0; i < len; i++)
        text[i] = small(name[i]);
    text[len] = '\0';
    id->names[id->name_count++] = (struct tls_name){ text, at };
    return 0;
}

int tls_names_add(struct tls_identity *id, size_t at, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int r = 0;

    for (int i = 0; r == 0 && names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (n->type == GEN_DNS)
            r = add(id, at, (const char *)ASN1_STRING_get0_data(n->d.dNSName),
                    (size_t)ASN1_STRING_length(n->d.dNSName));
    }
    GENERAL_NAMES_free(names);
    return r;
}

static int compare(const void *a, const void *b)
{
    const struct tls_name *one = a, *two = b;
    int order = strcmp(one->text, two->text);

    return order ? order : (one->at > two->at) - (one->at < two->at);
}

void tls_names_sort(struct tls_identity *id)
{
    if (id->name_count)
        qsort(id->names, id->name_count, sizeof *id->names, compare);
}

/* The first entry of that text, which is the earliest certificate's. */
static SSL_CTX *find(const struct tls_identity *id, const char *text)
{
    size_t low = 0, high = id->name_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(id->names[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == id->name_count || strcmp(id->names[low].text, text) != 0)
        return NULL;
    return id->ctx[id->names[low].at];
}

SSL_CTX *tls_names_find(const struct tls_identity *id, const char *name)
{
    char text[NAME_MAX_LEN + 2];
    size_t len = strlen(name);

    if (len && name[len - 1] == '.')
        len--;
    if (len == 0 || len > NAME_MAX_LEN)
        return NULL;
    for (size_t i = 0; i < len; i++)
        text[i] = small(name[i]);
    text[len] = '\0';
    SSL_CTX *found = find(id, text);
    /* The wildcard stands for the first label, whole: "*.example.org". */
    char *dot = strchr(text, '.');
    if (found || !dot || dot == text)
        return found;
    dot[-1] = '*';
    return find(id, dot - 1);
}
