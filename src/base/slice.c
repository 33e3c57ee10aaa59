/*
 * base/slice.c - what of a slice is too long to stand in its header
 *
 * Pure functions over borrowed bytes; any thread. Letters are ASCII's: no locale takes part.
 */
#include <eddy/slice.h>

#include <errno.h>

static unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;

    return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u;
}

bool eddy_slice_ieq(struct eddy_slice a, struct eddy_slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct eddy_slice eddy_slice_trim(struct eddy_slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

int eddy_slice_u64(struct eddy_slice s, uint64_t *ret_value)
{
    uint64_t value = 0;
    bool over = false;

    if (s.len == 0)
        return -EINVAL;
    /* All bytes are looked at even when the value is over already: "99…9x" is not a number. */
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return -EINVAL;
        over |= __builtin_mul_overflow(value, 10U, &value);
        over |= __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value);
    }
    if (over)
        return -ERANGE;
    *ret_value = value;
    return 0;
}
