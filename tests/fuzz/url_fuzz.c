/*
 * url_fuzz.c - URLs, percent-decoding and socket addresses
 */
#include "fuzz.h"

#include <eddy/address.h>
#include <eddy/url.h>

static void inside(struct eddy_slice s, const char *text, size_t len)
{
    REQUIRE(!s.len || (s.ptr >= text && s.ptr + s.len <= text + len));
    for (size_t i = 0; i < s.len; i++)
        REQUIRE((unsigned char)s.ptr[i] > 0x20 && (unsigned char)s.ptr[i] < 0x7f);
}

static void url(const char *text, size_t len)
{
    struct eddy_url u;
    struct eddy_error err = { 0 };

    int r = eddy_url_parse(text, len, &u, &err);
    if (r < 0) {
        REQUIRE(r == -EDDY_EURL && err.offset <= len);
        return;
    }
    inside(u.scheme, text, len);
    inside(u.userinfo, text, len);
    inside(u.host, text, len);
    inside(u.path, text, len);
    inside(u.query, text, len);
    inside(u.fragment, text, len);
    inside(u.target, text, len);
    inside(u.authority, text, len);
    REQUIRE(u.scheme.len && u.host.len && u.authority.len >= u.host.len);
    REQUIRE(!u.path.len || u.path.ptr[0] == '/');
    REQUIRE(!u.has_port || u.port);
    /* What a request line is made of holds nothing that would end it, or hide a part of it. */
    REQUIRE(!u.target.len || !memchr(u.target.ptr, '#', u.target.len));
    REQUIRE(!memchr(u.authority.ptr, '@', u.authority.len) &&
            !memchr(u.authority.ptr, '/', u.authority.len));
}

static void percent(const char *text, size_t len)
{
    char *out = fuzz_copy((const uint8_t *)text, len),
         *place = fuzz_copy((const uint8_t *)text, len);
    size_t n = SIZE_MAX, same = SIZE_MAX;

    int r = eddy_percent_decode((struct eddy_slice){ text, len }, out, &n);
    REQUIRE(eddy_percent_decode((struct eddy_slice){ place, len }, place, &same) == r);
    REQUIRE(r == -EINVAL || (r == 0 && n <= len && n == same && memcmp(out, place, n) == 0));
    free(out);
    free(place);
}

/* What was read and written is read as the same. */
static void address(const char *text)
{
    struct eddy_address a, b;
    struct eddy_error err = { 0 };
    char said[EDDY_ADDRESS_TEXT];
    struct eddy_slice host;
    uint16_t port;

    int r = eddy_address_parse(text, 80, &a, &err);
    REQUIRE(r == 0 || r == EDDY_ADDRESS_NAME || r == -EINVAL);
    if (r < 0)
        return;
    if (strncmp(text, "unix:", 5) != 0) {
        REQUIRE(eddy_address_split(text, 80, &host, &port, NULL) == 0);
        REQUIRE(!host.len || (host.ptr >= text && host.ptr + host.len <= text + strlen(text)) ||
                eddy_slice_eq(host, EDDY_SLICE("127.0.0.1")));
    }
    if (r == EDDY_ADDRESS_NAME)
        return;
    REQUIRE(a.len && a.len <= sizeof a.storage && eddy_address_family(&a));
    eddy_address_format(&a, said, sizeof said);
    REQUIRE(eddy_address_parse(said, 0, &b, NULL) == 0);
    REQUIRE(eddy_address_eq(&a, &b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *copy = fuzz_copy(data, len);
    char *text = malloc(len + 1);

    url(copy, len);
    percent(copy, len);
    REQUIRE(text);
    memcpy(text, copy, len);
    text[len] = '\0';
    address(text);
    free(text);
    free(copy);
    return 0;
}
