/* buffer_test.c - the bounded buffer */
#include "check.h"

#include "base/fault.h"

#include <eddy/buffer.h>
#include <eddy/error.h>

#include <string.h>

#define HOLDS(b, text)                                                                             \
    EDDY_CHECK_MEM(eddy_buffer_bytes(b).ptr, eddy_buffer_bytes(b).len, text, strlen(text))

EDDY_TEST(bytes_come_out_in_the_order_they_went_in)
{
    struct eddy_buffer b = EDDY_BUFFER(100000);
    unsigned in = 0, out = 0;

    for (int i = 0; i < 20000; i++) {
        unsigned char chunk[7];
        size_t len = (size_t)(i * 31 % 7) + 1;
        for (size_t k = 0; k < len; k++)
            chunk[k] = (unsigned char)(in++ * 131 >> 3);
        if (!EDDY_CHECK_EQ(eddy_buffer_append(&b, chunk, len), 0))
            break;
        struct eddy_slice s = eddy_buffer_bytes(&b);
        size_t take = s.len > 300 || i % 3 ? s.len / 2 : 0;
        for (size_t k = 0; k < take; k++)
            if ((unsigned char)s.ptr[k] != (unsigned char)(out++ * 131 >> 3)) {
                EDDY_CHECK_FAIL("byte %u", out - 1);
                i = 20000;
                break;
            }
        eddy_buffer_take(&b, take);
    }
    EDDY_CHECK(out > 10000);
    EDDY_CHECK(b.cap <= 4096); /* taken bytes make room again */
    eddy_buffer_done(&b);
}

EDDY_TEST(the_maximum_is_reached_exactly_and_never_passed)
{
    struct eddy_buffer b = EDDY_BUFFER(10);
    char *room;

    EDDY_CHECK_EQ(eddy_buffer_append(&b, "0123456789", 10), 0);
    EDDY_CHECK_ERR(eddy_buffer_append(&b, "x", 1), -EDDY_ETOOBIG);
    EDDY_CHECK_ERR(eddy_buffer_room(&b, SIZE_MAX, &room), -EDDY_ETOOBIG);
    HOLDS(&b, "0123456789");
    eddy_buffer_take(&b, 1);
    EDDY_CHECK_EQ(eddy_buffer_append(&b, "x", 1), 0); /* the dead byte is found again */
    HOLDS(&b, "123456789x");
    EDDY_CHECK_EQ(b.cap, 10);
    eddy_buffer_done(&b);
    eddy_buffer_done(&b);
    EDDY_CHECK_EQ(b.max, 10);
}

EDDY_TEST(printf_fills_to_the_last_byte_and_changes_nothing_when_it_fails)
{
    static char long_text[2001];
    struct eddy_buffer b = EDDY_BUFFER(2002);

    memset(long_text, 'l', 2000);
    EDDY_CHECK_EQ(eddy_buffer_printf(&b, "%d", 42), 0);
    EDDY_CHECK_EQ(eddy_buffer_printf(&b, "%s", long_text), 0);
    EDDY_CHECK_EQ(eddy_buffer_bytes(&b).len, 2002);
    EDDY_CHECK_ERR(eddy_buffer_printf(&b, "x"), -EDDY_ETOOBIG);
    eddy_buffer_take(&b, 2000);
    EDDY_CHECK_ERR(eddy_buffer_printf(&b, "%s+", long_text), -EDDY_ETOOBIG);
    HOLDS(&b, "ll");
    eddy_buffer_done(&b);
}

EDDY_TEST(release_frees_an_empty_buffer_and_leaves_a_full_one)
{
    struct eddy_buffer b = EDDY_BUFFER(100);

    eddy_buffer_append(&b, "ab", 2);
    eddy_buffer_release(&b);
    HOLDS(&b, "ab");
    eddy_buffer_take(&b, 2);
    EDDY_CHECK(b.ptr != NULL);
    eddy_buffer_release(&b);
    EDDY_CHECK(b.ptr == NULL);
    EDDY_CHECK_EQ(eddy_buffer_append(&b, "c", 1), 0);
    HOLDS(&b, "c");
    eddy_buffer_done(&b);
}

EDDY_TEST(a_failed_allocation_leaves_the_buffer_as_it_was)
{
    for (struct eddy_fault f = eddy_fault_each(EDDY_FAULT_ALLOC); eddy_fault_next(&f);) {
        struct eddy_buffer b = EDDY_BUFFER(100000);
        char *room;

        if (eddy_buffer_append(&b, "abc", 3) == 0) {
            eddy_buffer_take(&b, 1);
            int r = eddy_buffer_room(&b, 5000, &room);
            EDDY_CHECK_ERR(r, eddy_fault_fired(&f) ? -ENOMEM : 0);
            HOLDS(&b, "bc");
            r = eddy_buffer_printf(&b, "%600d", 1);
            EDDY_CHECK_ERR(r, eddy_fault_fired(&f) ? r : 0);
            EDDY_CHECK_EQ(eddy_buffer_bytes(&b).len, r == 0 ? 602 : 2);
        }
        eddy_buffer_done(&b);
    }
}
