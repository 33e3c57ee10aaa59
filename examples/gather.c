/* Ask three shops for a price at once: the first answer that is one, then all of them; never more
 * than two at a time, and not for ever. Shows futures of tasks, a semaphore, and a task-local. */
#include <eddy.h>
#include <stdio.h>

EDDY_LOCAL(customer); /* seen by all that runs inside the scope in which it is set */

static struct eddy_semaphore lines = EDDY_SEMAPHORE_INIT(2);

struct ask_args {
    const char *shop;
    int takes_ms;
    int cents; /* negative: why there is no price */
};

static int ask(struct ask_args *a)
{
    EDDY_PERMITTED(line, &lines); /* given back when ask() returns, however it does */
    if (line < 0)
        return line;
    printf("%s: asking for %s\n", a->shop, (const char *)eddy_local_get(&customer));
    int r = eddy_sleep(a->takes_ms);
    return r < 0 ? r : a->cents;
}
EDDY_TASK(ask);

enum { SHOPS = 3 };

static int ask_all(struct eddy_scope *scope, struct eddy_future **price)
{
    static const struct ask_args shop[SHOPS] = {
        { "north", 5, -ENOENT },
        { "south", 300, 1250 },
        { "west", 15, 1190 },
    };

    for (int i = 0; i < SHOPS; i++) {
        /* A shop that fails is no failure of ours: .future_only. */
        int r = EDDY_SPAWN_WITH(
            scope, &price[i], EDDY_OPT(go, .name = shop[i].shop, .future_only = true), ask,
            .shop = shop[i].shop, .takes_ms = shop[i].takes_ms, .cents = shop[i].cents);
        if (r < 0)
            return r;
    }
    return 0;
}

static int compare(struct eddy_future **price)
{
    EDDY_SCOPE(asking, .timeout_ms = 1000);

    int r = eddy_local_set(&customer, "Ada");
    if (r == 0)
        r = ask_all(&asking, price);
    if (r < 0)
        return r;
    int first = eddy_future_first_success(price, SHOPS, NULL);
    if (first < 0)
        return first;
    printf("first price: %d, from shop %d\n", eddy_future_result(price[first], NULL), first);

    r = eddy_gather(price, SHOPS, EDDY_OPT(gather, .timeout_ms = 500));
    if (r < 0)
        printf("one has none: %s\n", eddy_strerrorname(r));
    for (int i = 0; i < SHOPS; i++)
        printf("shop %d: %d\n", i, eddy_future_result(price[i], NULL));
    return 0;
}

int main(void)
{
    struct eddy_future *price[SHOPS] = { NULL };

    int r = compare(price);
    for (int i = 0; i < SHOPS; i++)
        eddy_future_free(price[i]);
    if (r < 0)
        fprintf(stderr, "gather: %s\n", eddy_strerror(r));
    return r < 0;
}
