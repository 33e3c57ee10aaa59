/*
 * codec/json_number.c - numbers from decimal text and back, in no locale
 *
 * Most numbers have few digits and a small exponent: both then are exact as doubles, and one
 * multiplication or division rounds correctly (Clinger 1990). The rest is libc's, whose strtod()
 * and printf() round correctly but follow the locale unless told otherwise.
 */
#include "codec/json_inside.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 512

static locale_t plain;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

/* The "C" locale is a constant of libc's: this allocates nothing and cannot fail there. Where it
 * fails, 0 means the program's locale, which is most often the same. */
static void prepare(void)
{
    plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static locale_t enter_plain(void)
{
    pthread_once(&prepared, prepare);
    return plain ? uselocale(plain) : (locale_t)0;
}

static void leave_plain(locale_t before)
{
    if (before)
        uselocale(before);
}

int eddy__json_to_double(const struct eddy__json_number *number, double *ret)
{
    static const double power[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    const int64_t e = number->exponent;

    if (number->exact && number->digits <= (uint64_t)1 << 53 && e >= -22 && e <= 22) {
        double value = (double)number->digits;
        value = e < 0 ? value / power[-e] : value * power[e];
        *ret = number->negative ? -value : value;
        return 0;
    }

    char text[TEXT_MAX + 1];
    if (number->text.len > TEXT_MAX)
        return -EDDY_ESYNTAX;
    memcpy(text, number->text.ptr, number->text.len);
    text[number->text.len] = '\0';

    locale_t before = enter_plain();
    double value = strtod(text, NULL);
    leave_plain(before);
    if (!isfinite(value))
        return -EDDY_ESYNTAX;
    *ret = value;
    return 0;
}

size_t eddy__json_from_double(double value, char out[EDDY__JSON_DOUBLE])
{
    /* 15 digits always survive, and printf drops trailing zeros, so the first that reads back
     * is the shortest; subnormals have fewer digits to begin with. */
    int precision = fabs(value) < 2.3e-308 ? 1 : 15;
    int len = 0;

    locale_t before = enter_plain();
    for (; precision <= 17; precision++) {
        len = snprintf(out, EDDY__JSON_DOUBLE, "%.*g", precision, value);
        double back = strtod(out, NULL);
        if (back >= value && back <= value)
            break;
    }
    leave_plain(before);
    if (len == 2 && signbit(value) && out[1] == '0')
        len = snprintf(out, EDDY__JSON_DOUBLE, "-0.0");
    return (size_t)len;
}
