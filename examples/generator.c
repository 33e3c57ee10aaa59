/*
 * generator.c - values one after the other: a generator, and one that waits between its values
 *
 *     generator [N]        the primes below N (100), then a clock that is read three times
 *
 * A generator is an ordinary function that yields. Its reader drives it with one line, the same
 * whether it computes or waits; leaving the loop early closes it.
 */
#include <eddy.h>

#include <stdio.h>
#include <stdlib.h>

/* --- 2, 3, 4, ... ------------------------------------------------------------------------------ */

struct numbers_args {
    int from, below;
};

static int numbers(struct eddy_gen *gen, struct numbers_args *a)
{
    for (int n = a->from; n < a->below; n++) {
        int r = eddy_gen_yield(gen, &n);
        if (r < 0)
            return r; /* the reader has left */
    }
    return 0;
}
EDDY_GENERATOR(numbers, int);

/* --- a generator may read from another --------------------------------------------------------- */

struct primes_args {
    int below;
};

static int primes(struct eddy_gen *gen, struct primes_args *a)
{
    EDDY_AUTO(eddy_gen) candidates = EDDY_GEN(numbers, .from = 2, .below = a->below);
    int n, divisor;

    while (numbers_next(&candidates, &n)) {
        for (divisor = 2; divisor * divisor <= n; divisor++)
            if (n % divisor == 0)
                break;
        if (divisor * divisor <= n)
            continue;
        int r = eddy_gen_yield(gen, &n);
        if (r < 0)
            return r;
    }
    return candidates.status;
}
EDDY_GENERATOR(primes, int);

/* --- and it may wait: then it is an asynchronous iterator ------------------------------------------ */

struct ticks_args {
    int64_t every_ms;
};

static int ticks(struct eddy_gen *gen, struct ticks_args *a)
{
    int64_t start = eddy_now_ns();
    int r = 0;

    while (r == 0 && (r = eddy_sleep(a->every_ms)) == 0) {
        int64_t elapsed_ms = (eddy_now_ns() - start) / 1000000;
        r = eddy_gen_yield(gen, &elapsed_ms);
    }
    return r;
}
EDDY_GENERATOR(ticks, int64_t);

int main(int argc, char **argv)
{
    EDDY_AUTO(eddy_gen) gen = EDDY_GEN(primes, .below = argc > 1 ? atoi(argv[1]) : 100);
    EDDY_AUTO(eddy_gen) clock = EDDY_GEN(ticks, .every_ms = 10);
    int prime, count = 0;
    int64_t elapsed_ms;

    while (primes_next(&gen, &prime))
        printf("%d%s", prime, ++count % 10 ? " " : "\n");
    printf("%s%d primes\n", count % 10 ? "\n" : "", count);

    count = 0;
    while (ticks_next(&clock, &elapsed_ms)) {
        printf("after %lld ms\n", (long long)elapsed_ms / 10 * 10);
        if (++count == 3)
            break; /* it would go on for ever; it is closed with its block */
    }
    return gen.status < 0 || clock.status < 0;
}
