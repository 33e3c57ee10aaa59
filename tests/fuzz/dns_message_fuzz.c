/*
 * dns_message_fuzz.c - what name servers say: the first two bytes are the type that was asked for
 */
#include "fuzz.h"

#include "dns/room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct dns_answer *a = NULL;

    if (len < 2 || len > 65537)
        return 0;
    const unsigned type = (unsigned)data[0] << 8 | data[1];
    char *message = fuzz_copy(data + 2, len - 2);
    int r = dns_decode((const unsigned char *)message, (int)len - 2, type, &a);
    free(message);
    REQUIRE(r == 0 || r == -EDDY_ERESOLVER || r == -ENOMEM);
    if (r < 0)
        return 0;
    REQUIRE(a->count <= EDDY_RECORDS_MAX && (a->status == 0) == (a->count > 0));
    REQUIRE(a->ttl_ms >= 0 && a->ttl_ms <= INT64_C(1000) * INT32_MAX);
    for (size_t i = 0; i < a->count; i++) {
        const struct eddy_record *record = &a->at[i];
        REQUIRE(record->type == type && record->text[record->len] == '\0');
        REQUIRE(type != EDDY_DNS_A || record->len == 4);
        REQUIRE(type != EDDY_DNS_AAAA || record->len == 16);
    }
    dns_answer_put(a);
    return 0;
}
