/*
 * proxy_fuzz.c - headers of the PROXY protocol
 *
 * Any bytes: what is taken is taken in every split, asks for no byte behind it, and is written as
 * something that is read as the same.
 */
#include "fuzz.h"

#include <eddy/proxy.h>

static void same(const struct eddy_proxy *a, const struct eddy_proxy *b)
{
    REQUIRE(a->version == b->version && a->checksum == b->checksum);
    REQUIRE(eddy_address_eq(&a->source, &b->source) &&
            eddy_address_eq(&a->destination, &b->destination));
    REQUIRE(!a->source.len || a->datagram == b->datagram);
}

static void again(const struct eddy_proxy *p)
{
    static char buf[EDDY_PROXY_MAX];
    struct eddy_proxy got;
    size_t more = 0;

    ssize_t n = eddy_proxy_write(p, buf, sizeof buf);
    REQUIRE(n > 0 && eddy_proxy_parse(buf, (size_t)n, &got, &more, NULL) == n);
    same(p, &got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = fuzz_copy(data, size);
    struct eddy_proxy whole, part;
    struct eddy_error err = { 0 };
    struct eddy_slice value;
    size_t more = 0, len = 0;
    ssize_t r, n = eddy_proxy_parse(bytes, size, &whole, &more, &err);

    REQUIRE(n == -EAGAIN || n == -EPROTO || n == -EDDY_ETOOBIG || (n >= 15 && n <= EDDY_PROXY_MAX));
    if (n == -EPROTO || n == -EDDY_ETOOBIG)
        REQUIRE(err.code == n && err.offset <= size);

    /* As a reader would: never more than it is asked for. */
    while ((r = eddy_proxy_parse(bytes, len, &part, &more, NULL)) == -EAGAIN && len < size) {
        REQUIRE(more >= 1);
        len += more < size - len ? more : size - len;
        REQUIRE(n < 0 || len <= (size_t)n);
    }
    REQUIRE(n < 0 ? r < 0 : r == n && len == (size_t)n);
    if (n > 0) {
        same(&whole, &part);
        REQUIRE(whole.version == 2 ? true : n <= EDDY_PROXY_V1_MAX);
        if (eddy_proxy_extension(&whole, EDDY_PROXY_ALPN, &value) == 0 && value.len)
            REQUIRE(value.ptr >= bytes && value.ptr + value.len <= bytes + n);
        again(&whole);
    }
    free(bytes);
    return 0;
}
